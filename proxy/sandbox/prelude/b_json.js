// JSON: integers of any size are exact in both directions, and what plain JSON.stringify would turn into `{}` keeps its
// content. In what leaves the sandbox BigInts are plain numbers; agent code's own JSON.stringify writes their digits.
const MOST_DIGITS = 4300;
const BIG_MARK = "\u0001big:";
let sawBigInt = false;
let sawPromise = false;
let sawIterator = false;
let sawFunction = false;
let sawSealed = "";    // what nothing can list, by name
let sending = false;   // arguments of a call are being written: bytes become a file

function toJson(value) {
  sawBigInt = sawPromise = sawIterator = sawFunction = false;
  sawSealed = "";
  const text = stringify(value);
  return sawBigInt ? withBigInts(value) : text;
}

function withBigInts(value) {
  const text = stringify(value, function (key, item) {
    const held = this[key];
    if (typeof held !== "bigint") return item;
    const digits = bigToString(held);
    if (digits.length > MOST_DIGITS) throw new RangeError(`an integer of more than ${MOST_DIGITS} digits cannot be sent`);
    return BIG_MARK + digits;
  });
  return replace(text, /"\\u0001big:(-?\d+)"/g, "$1");
}

// Integers that a JavaScript number cannot hold come from the worker as [path, digits] beside the parsed event.
function restoreBigInts(event) {
  const found = event.big;
  for (let i = 0; i < found.length; i++) {
    const path = found[i][0];
    let holder = event;
    for (let k = 0; k < path.length - 1; k++) holder = holder[path[k]];
    define(holder, path[path.length - 1], BigInt(found[i][1]), true);
  }
}

// The reader of agent code keeps them too: JSON.parse of an id beyond 2^53 gives a BigInt, never another id.
const realParse = JSON.parse;
const LONG_NUMBER = /\d{16}|[eE]\+?\d{3}/;
const JSON_ATOM = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const isUnsafe = (text) => test(/^-?\d{16,}$/, text) && !Number.isSafeInteger(+text);

const isBeyond = (text) => text[0] !== '"' && (+text === Infinity || +text === -Infinity);  // of a double: stays as it is written

define(JSON, "parse", function parse(text, reviver) {
  if (typeof text !== "string" || !test(LONG_NUMBER, text)) return realParse(text, reviver);
  realParse(text);
  const marked = replace(text, JSON_ATOM, (atom) => (isUnsafe(atom) ? `"\\u0001big:${atom}"` : isBeyond(atom) ? `"${atom}"` : atom));
  return realParse(marked, function (key, value) {
    const held = typeof value === "string" && startsWith(value, BIG_MARK) ? BigInt(slice(value, BIG_MARK.length)) : value;
    return typeof reviver === "function" ? apply(reviver, this, [key, held]) : held;
  });
});

// What agent code writes itself may lose a promise that it forgot to await: the text says `{}`, and the log says why.
define(JSON, "stringify", {
  stringify(value, replacer, space) {
    const before = [sawBigInt, sawPromise, sawIterator, sawFunction, sawSealed];
    sawPromise = false;
    try { return stringify(value, replacer, space); } finally {
      if (sawPromise) writeLog("warn", "JSON.stringify wrote a promise as {}: await it first");
      [sawBigInt, sawPromise, sawIterator, sawFunction, sawSealed] = before;
    }
  },
}.stringify);

// ---- what has no JSON form of its own ------------------------------------------------------------------------------
const asJson = (prototype, write) => define(prototype, "toJSON", function toJSON() { return write(this); });
const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const isString = (key) => typeof key === "string";

asJson(BigInt.prototype, (value) => { sawBigInt = true; return bigToString(value); });
asJson(Function.prototype, () => { sawFunction = true; });
asJson(Promise.prototype, () => { sawPromise = true; return {}; });
const ITERATORS = [[][Symbol.iterator](), (async function* () {})()].map((one) => getPrototypeOf(getPrototypeOf(one)));
asJson(ITERATORS[0], () => { sawIterator = true; return {}; });
asJson(getPrototypeOf(ITERATORS[1]), () => { sawIterator = true; return {}; });
asJson(WeakMap.prototype, () => { sawSealed = "a WeakMap"; return {}; });
asJson(WeakSet.prototype, () => { sawSealed = "a WeakSet"; return {}; });
asJson(Map.prototype, (map) => ([...map.keys()].every(isString) ? Object.fromEntries(map) : [...map]));
asJson(Set.prototype, (set) => [...set]);
asJson(RegExp.prototype, (pattern) => `${pattern}`);
asJson(Error.prototype, (error) => ({ name: `${error.name}`, message: `${error.message}`, ...error }));
asJson(ArrayBuffer.prototype, (buffer) => writeBytes(new Uint8Array(buffer), [...new Uint8Array(buffer)]));
asJson(DataView.prototype, (view) => writeBytes(bytesOf(view), [...bytesOf(view)]));
asJson(getPrototypeOf(Uint8Array.prototype), (array) => {
  const isBytes = array instanceof Uint8Array || array instanceof Uint8ClampedArray;
  return isBytes ? writeBytes(bytesOf(array), [...array]) : [...array];
});

function writeBytes(bytes, list) {
  if (!sending) return list;
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]);
  const [mimeType, encoding] = ["application/octet-stream", "base64"];
  return { _tag: "ToolFile", mimeType, encoding, data: btoa(text), byteLength: bytes.length };
}

// ---- sort: a comparison that subtracts works over numbers and BigInts, mixed or not -------------------------------
const isMixed = (error) => error instanceof TypeError && includes(`${error.message}`, "BigInt");
const signOf = (result) => (typeof result === "bigint" ? (result < 0n ? -1 : result > 0n ? 1 : 0) : result);

// The same value with every integer as BigInt, or (`exact` false) with every BigInt as the nearest number.
function view(value, exact) {
  if (typeof value === "number") return exact && Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value === "bigint") return exact ? value : RealNumber(value);
  const plain = value !== null && typeof value === "object" && (isArray(value) || getPrototypeOf(value) === Object.prototype);
  return plain ? new Proxy({}, { get: (_, key) => view(value[key], exact) }) : value;
}

function comparing(compare) {
  const attempt = (a, b) => signOf(compare(a, b));
  return (a, b) => {
    try { return attempt(a, b); } catch (error) { if (!isMixed(error)) throw error; }
    // A fraction beside integers beyond 2^53 is left: rounding those moves none of them past a fraction.
    try { return attempt(view(a, true), view(b, true)); } catch (error) { if (!isMixed(error)) throw error; }
    return attempt(view(a, false), view(b, false));
  };
}

for (const name of ["sort", "toSorted"]) {
  const real = Array.prototype[name];
  define(Array.prototype, name, {
    [name](compare) {
      try { return apply(real, this, [compare]); } catch (error) {
        if (typeof compare !== "function" || !isMixed(error)) throw error;
      }
      return apply(real, this, [comparing(compare)]);
    },
  }[name]);
}

// ---- promises inside a returned value are awaited ------------------------------------------------------------------
async function awaitInside(value) {
  const holes = [];
  const root = {};
  copyInto(root, "value", value, new RealMap(), holes);
  for (let i = 0; i < holes.length; i++) define(holes[i].holder, holes[i].key, await holes[i].promise, true);
  return root.value;
}

function copyInto(holder, key, value, seen, holes) {
  let copy = value;
  if (value instanceof RealPromise) define(holes, holes.length, { holder, key, promise: value }, true);
  else if (value !== null && typeof value === "object") {
    if (value instanceof RealMap || value instanceof Set) copy = value.toJSON();
    const plain = isArray(copy) || getPrototypeOf(copy) === Object.prototype || getPrototypeOf(copy) === null;
    if (mapGet(seen, value) !== undefined) copy = mapGet(seen, value);
    else if (plain) {
      const source = copy;
      copy = isArray(source) ? [] : {};
      mapSet(seen, value, copy);
      for (const name of Object.keys(source)) copyInto(copy, name, source[name], seen, holes);
    }
  }
  define(holder, key, copy, true);
}

