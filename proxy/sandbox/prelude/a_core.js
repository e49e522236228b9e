// Everything in prelude/*.js is joined, in name order, into one strict function, which returns `step`. Agent code never
// sees that function's scope. Built-ins are captured first, so that code which later replaces prototypes changes only
// its own view, not what this file does.
const { apply, construct, deleteProperty, defineProperty, ownKeys, getPrototypeOf } = Reflect;
const { setPrototypeOf } = Object;
const stringify = JSON.stringify;
const RealDate = Date;
const RealPromise = Promise;
const RealMap = Map;
const RealError = Error;
const indirectEval = eval;
const uncurry = (method) => { const { call } = Function.prototype; return call.bind(method); };
const then = uncurry(Promise.prototype.then);
const mapGet = uncurry(Map.prototype.get);
const mapSet = uncurry(Map.prototype.set);
const mapDelete = uncurry(Map.prototype.delete);
const charCode = uncurry(String.prototype.charCodeAt);
const slice = uncurry(String.prototype.slice);
const split = uncurry(String.prototype.split);
const startsWith = uncurry(String.prototype.startsWith);
const endsWith = uncurry(String.prototype.endsWith);
const includes = uncurry(String.prototype.includes);
const replace = uncurry(String.prototype.replace);
const test = uncurry(RegExp.prototype.test);
const exec = uncurry(RegExp.prototype.exec);
const bigToString = uncurry(BigInt.prototype.toString);
const dateToString = uncurry(Date.prototype.toString);
const { floor, max, min, imul } = Math;
const { isArray } = Array;
const own = Object.hasOwn;
const NON_ASCII = /[^\x00-\x7f]/;

// The state of one execution. `now` is the virtual clock in milliseconds: it moves only with deliveries.
let now = 0;
let startedAt = 0;
let limits = null;

function define(target, name, value, enumerable = false) {
  defineProperty(target, name, { value, enumerable, configurable: true, writable: true });
}

// UTF-8 length of a string; stops counting once it is past `limit`.
function byteLength(text, limit = Infinity) {
  const { length } = text;
  if (length > limit || !test(NON_ASCII, text)) return length;
  let bytes = 0;
  for (let i = 0; i < length && bytes <= limit; i++) {
    const unit = charCode(text, i);
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : unit >= 0xd800 && unit < 0xdc00 ? (i++, 4) : 3;
  }
  return bytes;
}

// ---- virtual time ------------------------------------------------------------------------------------------
function VirtualDate(...parts) {
  if (new.target === undefined) return dateToString(new RealDate(now));
  return construct(RealDate, parts.length ? parts : [floor(now)], new.target);
}
define(VirtualDate, "name", "Date");
define(VirtualDate, "length", 7);
defineProperty(VirtualDate, "prototype", { value: RealDate.prototype, writable: false });
define(RealDate.prototype, "constructor", VirtualDate);
define(VirtualDate, "now", () => floor(now));
define(VirtualDate, "parse", RealDate.parse);
define(VirtualDate, "UTC", RealDate.UTC);
define(globalThis, "Date", VirtualDate);
define(globalThis, "performance", {
  now: () => now - startedAt,
  get timeOrigin() { return startedAt; },
});

// Timers fire in the order (time, creation), one at a time, and only when a timer delivery says so.
const timers = [];
let lastTimer = 0;

function setTimer(callback, delay, ...rest) {
  if (typeof callback !== "function") throw new TypeError("setTimeout needs a function");
  const wait = +delay;
  const timer = { id: ++lastTimer, at: now + (wait > 0 ? min(wait, 2 ** 31) : 0), callback, rest };
  let at = timers.length;
  while (at > 0 && timers[at - 1].at > timer.at) { define(timers, at, timers[at - 1], true); at--; }
  define(timers, at, timer, true);
  return timer.id;
}

function clearTimer(id) {
  for (let i = 0; i < timers.length; i++) if (timers[i].id === id) { removeTimer(i); return; }
}

function removeTimer(at) {
  const timer = timers[at];
  for (let i = at; i < timers.length - 1; i++) timers[i] = timers[i + 1];
  timers.length--;
  return timer;
}

function fireOne(newest) {
  for (let i = 0; i < timers.length && timers[i].at <= now; i++) {
    if (timers[i].id > newest) continue;
    const timer = removeTimer(i);
    guarded(() => apply(timer.callback, undefined, timer.rest), "a timer");
    return;
  }
}

function isDue(newest) {
  for (let i = 0; i < timers.length && timers[i].at <= now; i++) if (timers[i].id <= newest) return true;
  return false;
}

// An error thrown by a callback that nobody awaits is logged; letting it out would stop the engine's job queue.
function guarded(callback, where) {
  try {
    callback();
  } catch (error) {
    writeLog("error", `Uncaught in ${where}: ${describeText(error)}`);
  }
}

define(globalThis, "setTimeout", setTimer);
define(globalThis, "clearTimeout", clearTimer);
define(globalThis, "queueMicrotask", function queueMicrotask(callback) {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask needs a function");
  then(RealPromise.resolve(), () => guarded(callback, "a microtask"));
});

// ---- randomness: ChaCha20 keyed with the execution's seed ----------------------------------------------------
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
const ROUNDS = [
  0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 5, 10, 15, 1, 6, 11, 12, 2, 7, 8, 13, 3, 4, 9, 14,
];
const rotate = (word, by) => (word << by) | (word >>> (32 - by));

function stream(key, nonce) {
  const input = new Uint32Array(16);
  const block = new Uint32Array(16);
  for (let i = 0; i < 4; i++) input[i] = SIGMA[i];
  for (let i = 0; i < 8; i++) input[4 + i] = key[i];
  input[14] = nonce;
  let used = 16;
  return function word() {
    if (used === 16) { chacha(input, block); input[12]++; used = 0; }
    return block[used++];
  };
}

function chacha(input, x) {
  for (let i = 0; i < 16; i++) x[i] = input[i];
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 32; i += 4) {
      const a = ROUNDS[i], b = ROUNDS[i + 1], c = ROUNDS[i + 2], d = ROUNDS[i + 3];
      x[a] += x[b]; x[d] = rotate(x[d] ^ x[a], 16);
      x[c] += x[d]; x[b] = rotate(x[b] ^ x[c], 12);
      x[a] += x[b]; x[d] = rotate(x[d] ^ x[a], 8);
      x[c] += x[d]; x[b] = rotate(x[b] ^ x[c], 7);
    }
  }
  for (let i = 0; i < 16; i++) x[i] += input[i];
}

let mathWord = null;
let cryptoWord = null;

function seedWith(hex) {
  const key = new Uint32Array(8);
  for (let i = 0; i < 8; i++) key[i] = parseHex(slice(hex, i * 8, i * 8 + 8));
  mathWord = stream(key, 0);
  cryptoWord = stream(key, 1);
}
const parseHex = (text) => +("0x" + text);

define(Math, "random", () => ((mathWord() >>> 5) * 67108864 + (mathWord() >>> 6)) / 9007199254740992);

function fillRandom(array) {
  if (!ArrayBuffer.isView(array) || array instanceof DataView || /Float/.test(array.constructor.name)) {
    throw new TypeError("getRandomValues needs an integer typed array");
  }
  if (array.byteLength > 65536) throw new DOMException("At most 65536 bytes at a time", "QuotaExceededError");
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let i = 0; i < bytes.length; i++) bytes[i] = cryptoWord();
  return array;
}

function randomUUID() {
  const bytes = fillRandom(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  let text = "";
  for (let i = 0; i < 16; i++) {
    text += (i === 4 || i === 6 || i === 8 || i === 10 ? "-" : "") + (bytes[i] + 0x100).toString(16).slice(1);
  }
  return text;
}
define(globalThis, "crypto", { getRandomValues: fillRandom, randomUUID });
