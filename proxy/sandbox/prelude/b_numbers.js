// Numbers are exact up to 2^53 - 1. What makes another number of a text says so; what it made is not sent to a tool: it
// would name another record. What JSON has no number for is not sent either.
const RealNumber = Number;
const { isSafeInteger } = Number;
const DIGITS = /^\s*([+-]?)0*(\d{16,4300})(?:\.0*)?\s*$/;
const LEADING_DIGITS = /^\s*([+-]?)0*(\d{16,4300})/;
const MANY_DIGITS = /\d{16}/;
const rounded = new RealMap();  // a number that stands for another one: the text that was read, and what read it
const MOST_ROUNDED = 100_000;
let notedRounding = false;

function noteRounding(text, pattern, value, reader) {
  const found = typeof text === "string" && text.length > 15 && isLarge(value) ? exec(pattern, text) : null;
  if (found === null) return value;
  const digits = (found[1] === "-" ? "-" : "") + found[2];
  if (BigInt(digits) === BigInt(value)) return value;
  noteOther(value, `${reader}("${digits}")`, `BigInt("${digits}")`);
  if (!notedRounding) writeLog("warn", `${reader}("${digits}") gave ${value}: numbers are exact up to 2^53 - 1. BigInt("${digits}") keeps it.`);
  notedRounding = true;
  return value;
}

// Whoever writes Number(id) of a BigInt means the rounding, for arithmetic: only as an argument it is refused.
function noteOther(value, read, exact) {
  if (rounded.size < MOST_ROUNDED) mapSet(rounded, value, { read, exact });
}
const isLarge = (value) => typeof value === "number" && value - value === 0 && !isSafeInteger(value) && (value > 2 ** 53 - 1 || value < 1 - 2 ** 53);

function ExactNumber(...given) {
  const value = given.length ? RealNumber(given[0]) : 0;
  if (typeof given[0] !== "bigint") noteRounding(given[0], DIGITS, value, "Number");
  else if (isLarge(value) && BigInt(value) !== given[0]) noteOther(value, `Number(${given[0]}n)`, `${given[0]}n`);
  return new.target === undefined ? value : construct(RealNumber, [value], new.target);
}
for (const key of ownKeys(RealNumber)) {
  if (key !== "prototype") defineProperty(ExactNumber, key, Object.getOwnPropertyDescriptor(RealNumber, key));
}
defineProperty(ExactNumber, "prototype", { value: RealNumber.prototype, writable: false });
define(RealNumber.prototype, "constructor", ExactNumber);
define(globalThis, "Number", ExactNumber);

const realParseInt = parseInt;
const realParseFloat = parseFloat;
const readers = {
  parseInt(text, radix) {
    const value = realParseInt(text, radix);
    return radix === undefined || +radix === 10 || +radix === 0 ? noteRounding(text, LEADING_DIGITS, value, "parseInt") : value;
  },
  parseFloat(text) { return noteRounding(text, DIGITS, realParseFloat(text), "parseFloat"); },
};
for (const name of ["parseInt", "parseFloat"]) {
  define(globalThis, name, readers[name]);
  define(ExactNumber, name, readers[name]);
}

// ---- what leaves the sandbox ----------------------------------------------------------------------------------------
// What stringify turned into null though it is a value, and numbers that may stand for others; looked for only where
// the text has one of either.
const SUSPECT = /\d{16}|null/;
const notedLosses = new RealMap();
let notedLarge = false;

function findLost(value, told) {
  stringify(value, function (key, item) {
    if (typeof item === "number") {
      if (item - item !== 0) told(`${item}`, "lost");
      else if (!isSafeInteger(item) && isLarge(item) && mapGet(rounded, item) !== undefined) told(item, "rounded");
      else if (isLarge(item) && test(MANY_DIGITS, significant(item))) told(item, "large");
      return item;
    }
    const held = this[key];
    if (typeof held === "function" || typeof held === "symbol") {
      told(isArray(this) ? `a ${typeof held}` : `a ${typeof held} as ${stringify(key)}`, isArray(this) || key === "" ? "lost" : "left out");
    } else if (item === null && held instanceof RealDate) told("an invalid Date", "lost");
    else if (item === held && isHollow(item)) told(`an instance of ${nameOfClass(item)}`, "empty");
    return item;
  });
}

// An object of a class of its own that has no field that JSON writes: all it has are getters, methods and private fields.
function isHollow(item) {
  if (typeof item !== "object" || item === null || isArray(item) || enumerableKeys(item).length > 0) return false;
  const prototype = getPrototypeOf(item);
  return prototype !== null && prototype !== Object.prototype;
}

function nameOfClass(item) {
  try { return `${item.constructor.name || "a class"}`; } catch { return "a class"; }
}
const enumerableKeys = Object.keys;

function mentions(word) {
  for (let i = 0; i < sourceLines.length; i++) if (includes(sourceLines[i], word)) return true;
  return false;
}
const significant = (number) => replace(`${number}`, /(?:0+|e\+\d+)$/, "");

function checkArguments(path, input, text) {
  if (typeof text !== "string" || !(sawFunction || test(SUSPECT, text))) return;
  let refusal = null;  // thrown from here: the engine keeps ten frames of a stack, and the agent's has to be among them
  const told = (what, why) => {
    if (refusal !== null) return;
    if (why === "lost" || why === "left out") refusal = `tools.${path}: the argument holds ${what}, which JSON has no value for: leave it out${why === "lost" ? ", or give null" : ""}`;
    if (why === "rounded") {
      const { read, exact } = mapGet(rounded, what);
      refusal = `tools.${path}: the argument holds ${what}, which ${read} rounded: give ${exact}, or the text`;
    }
    if (why === "large" && !notedLarge) writeLog("warn", `tools.${path}: the argument holds the number ${what}. Numbers are exact up to 2^53 - 1: write an id with n behind its digits, as BigInt("...") or as text.`);
    notedLarge = notedLarge || why === "large";
  };
  sending = true;  // bytes are looked at as the files that they become
  try { findLost(input, told); } finally { sending = false; }
  if (refusal !== null) throw new TypeError(refusal);
}

function noteLost(where, value, text) {
  if (sawIterator) writeLog("warn", `${where} holds an iterator, which is {} there: spread it, as in [...x].`);
  if (sawSealed) writeLog("warn", `${where} holds ${sawSealed}, which is {} there: nothing can list it. Use a Map or a Set.`);
  if (mapGet(notedLosses, where) || typeof text !== "string") return;
  if (!(sawFunction || includes(text, "null") || includes(text, "{}") || mentions("Symbol"))) return;
  let [first, others] = ["", 0];
  findLost(value, (what, why) => {
    if (why !== "lost" && why !== "left out" && why !== "empty") return;
    if (first) others++;
    else if (why === "empty") first = `${where} holds ${what}, which is {} there: it has no fields of its own. Return what it holds`;
    else first = `${where} holds ${what}, which JSON has no value for: it is ${why === "lost" ? "null there" : "left out"}`;
  });
  if (!first) return;
  mapSet(notedLosses, where, true);
  writeLog("warn", `${first}${others ? `. So ${others === 1 ? "is one" : `are ${others}`} more` : ""}.`);
}
