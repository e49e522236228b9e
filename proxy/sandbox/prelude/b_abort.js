// AbortController and AbortSignal (DOM Standard, 3), without the rest of EventTarget. Timeouts follow the virtual clock.
// A signal stops the code's own waiting. A call that was sent goes on: its effect belongs to this result.
let makeAbort = null;
const MAKE = Symbol("AbortSignal");

class AbortSignal {
  #reason = undefined; #aborted = false; #listeners = [];
  onabort = null;
  constructor(key) { if (key !== MAKE) throw new TypeError("Illegal constructor"); }
  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }
  addEventListener(type, callback) {
    if (type === "abort" && !this.#listeners.includes(callback)) this.#listeners.push(callback);
  }
  removeEventListener(type, callback) { this.#listeners = this.#listeners.filter((one) => one !== callback); }
  static #abort(signal, reason) {
    if (signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason = reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
    const event = { type: "abort", target: signal };
    const heard = [signal.onabort, ...signal.#listeners.splice(0)];
    for (const callback of heard) {
      if (typeof callback === "function") guarded(() => apply(callback, signal, [event]), "an abort listener");
      else if (callback && typeof callback.handleEvent === "function") guarded(() => callback.handleEvent(event), "an abort listener");
    }
  }
  static { makeAbort = (signal, reason) => AbortSignal.#abort(signal, reason); }
  static abort(reason) { const signal = new AbortSignal(MAKE); makeAbort(signal, reason); return signal; }
  static timeout(ms) {
    const signal = new AbortSignal(MAKE);
    setTimer(() => makeAbort(signal, new DOMException("The operation timed out", "TimeoutError")), ms);
    return signal;
  }
  static any(signals) {
    const joined = new AbortSignal(MAKE);
    for (const one of signals) {
      if (one.aborted) makeAbort(joined, one.reason);
      else one.addEventListener("abort", () => makeAbort(joined, one.reason));
    }
    return joined;
  }
}

class AbortController {
  #signal = new AbortSignal(MAKE);
  get signal() { return this.#signal; }
  abort(reason) { makeAbort(this.#signal, reason); }
}
// sleep(ms, {signal}) ends with the signal's reason when that aborts first.
define(globalThis, "sleep", function sleep(ms, options = {}) {
  if (!isSignalOnly(options)) {
    throw new TypeError("sleep takes milliseconds and perhaps {signal: an AbortSignal}, as in sleep(500, {signal})");
  }
  const { signal } = options;
  return new RealPromise((resolve, reject) => {
    if (signal === undefined) return void setTimer(resolve, ms);
    if (signal.aborted) return reject(signal.reason);
    const stop = () => { clearTimer(timer); reject(signal.reason); };
    const timer = setTimer(() => { signal.removeEventListener("abort", stop); resolve(); }, ms);
    signal.addEventListener("abort", stop);
  });
});

function isSignalOnly(options) {
  if (options === null || typeof options !== "object") return false;
  return Object.keys(options).every((key) => key === "signal" && (options.signal === undefined || options.signal instanceof AbortSignal));
}
define(globalThis, "AbortSignal", AbortSignal);
define(globalThis, "AbortController", AbortController);
