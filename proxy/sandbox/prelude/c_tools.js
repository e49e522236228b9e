// ---- emitted values: bounded here, so that a flood costs the worker's own time and nothing else ---------------------
let emits = "";
let emitted = 0;

define(globalThis, "emit", function emit(value) {
  const text = toJson(value);
  if (text === undefined) throw new TypeError("emit needs a value that can be written as JSON");
  if (sawPromise) throw new TypeError("emit: the value contains a promise: await it first");
  noteLost("What was emitted", value, text);
  emitted += byteLength(text, limits.emitBytes);
  if (emitted > limits.emitBytes) throw new RangeError(`emit: more than ${limits.emitBytes} bytes in one execution`);
  emits += (emits ? "," : "") + text;
});

function takeEmits() { const taken = emits; emits = ""; return taken; }

// ---- calls -----------------------------------------------------------------------------------------------------
// A call gets its number when it is made and is sent in that order. At most `limits.parallel` are under way; the
// rest wait here. Expected failures are values ({ok: false, ...}); wrong use of this API is a rejected promise.
const pending = new RealMap();
const waiting = [];
let waitingFrom = 0;
let made = 0;
let underWay = 0;

function refuse(code, message) {
  return { ok: false, error: { code, message, retryable: false } };
}

// What a bare string means to the system tools that take one.
const TEXT_ARGUMENT = {
  __proto__: null, search: "query", discover: "query", "describe.tool": "path", "catalog.tools": "namespace",
  "executor.integrations.list": "query", "executor.connections.list": "integration",
};

function callTool(path, args) {
  const name = typeof args[0] === "string" ? TEXT_ARGUMENT[path] : undefined;
  const input = args.length === 0 || args[0] === undefined ? {} : name ? { [name]: args[0] } : args[0];
  if (typeof input !== "object" || input === null || isArray(input)) {
    const got = input === null ? "null" : isArray(input) ? "an array" : `a ${typeof input}`;
    const text = TEXT_ARGUMENT[path];
    const key = OWN_TOOLS[path];
    const wanted = text ? `a string, or one object such as {${text}: "..."}` : `one object, such as ${key ? `{${key}: "..."}` : "{id: 1}"}`;
    return refuseUnlessUnknown(path, new TypeError(`tools.${path}: the argument must be ${wanted}; got ${got}`));
  }
  const text = toArguments(input);
  checkArguments(path, input, text);
  if (sawPromise) throw new TypeError(`tools.${path}: the argument contains a promise: await it first`);
  if (typeof text !== "string" || text[0] !== "{") {
    throw new TypeError(`tools.${path}: the argument must be a plain object`);
  }
  if (made >= limits.calls) {
    return refuse("call_limit_exceeded", `An execution may make ${limits.calls} calls. Split the work.`);
  }
  if (byteLength(text, limits.argumentBytes) > limits.argumentBytes) {
    return refuse("invalid_tool_arguments", `The arguments are larger than ${limits.argumentBytes} bytes.`);
  }
  const seq = made++;
  define(waiting, waiting.length, `{"seq":${seq},"path":${stringify(path)},"args":${text}}`, true);
  return new RealPromise((resolve, reject) => { mapSet(pending, seq, { resolve, reject, path }); });
}

const OWN_TOOLS = { __proto__: null, ...TEXT_ARGUMENT, "catalog.namespaces": "", "executor.paginate": "path", "executor.results.read": "ref" };

// A path that names no tool is told before its argument is: nothing but a search for it is made.
function refuseUnlessUnknown(path, wrong) {
  if (OWN_TOOLS[path] !== undefined) throw wrong;
  const found = callTool("describe.tool", [{ path }]);
  if (!(found instanceof RealPromise)) throw wrong;
  return new RealPromise((resolve, reject) => then(found, (told) => {
    if (told && told.ok === false && told.error.code === "tool_not_found") resolve(told); else reject(wrong);
  }, () => reject(wrong)));
}

function toArguments(input) {
  sending = true;
  try { return toJson(input); } finally { sending = false; }
}

function takeCalls() {
  let taken = "";
  while (waitingFrom < waiting.length && underWay < limits.parallel) {
    taken += (taken ? "," : "") + waiting[waitingFrom];
    waiting[waitingFrom++] = "";
    underWay++;
  }
  return taken;
}

function outstanding() { return made - settled; }
let settled = 0;

function settle(event) {
  const call = mapGet(pending, event.seq);
  if (call === undefined) return;
  mapDelete(pending, event.seq);
  settled++;
  underWay--;
  const { result } = event;
  if (result && own(result, "throw")) call.reject(makeError(result.throw));
  else call.resolve(result);
}

function makeError({ name, message }) {
  const error = new RealError(message);
  define(error, "name", name);
  return error;
}

// ---- tools: property access builds a path, a call sends it ----------------------------------------------------------
const toolPaths = new WeakMap();
const UNDEFINED = ["then", "toJSON", "toString", "valueOf"];
const GUIDANCE = "tools cannot be listed this way. Use await tools.search({query: \"...\"}) to find tools, " +
  "await tools.catalog.tools({namespace: \"...\"}) to list them, await tools.describe.tool({path: \"...\"}) for their types.";

function enumeration() { throw new TypeError(GUIDANCE); }
function readOnly() { throw new TypeError("tools cannot be changed"); }

const traps = {
  get(target, key) {
    if (key === Symbol.toPrimitive) return () => { throw new TypeError(`tools${toolPath(target) && "."}${toolPath(target)} has no text: call a tool by its path, and use what it gives`); };
    if (typeof key === "symbol") return undefined;
    if (key === "toJSON") sawFunction = true;
    for (let i = 0; i < UNDEFINED.length; i++) if (UNDEFINED[i] === key) return undefined;
    const path = toolPath(target);
    return makeTool(path ? `${path}.${key}` : key);
  },
  apply(target, self, args) {
    const path = toolPath(target);
    if (!path) throw new TypeError("tools is not a function. Call a tool by its path: tools.github.org.main.repos.get({...})");
    const second = args[1];
    const { signal } = second instanceof Object ? second : {};
    // [...].map(tool) gives three.
    const meant = second instanceof Object ? !(signal instanceof AbortSignal) : second !== undefined && args.length === 2;
    if (meant) noteSecondArgument(path);
    const waits = signal instanceof AbortSignal ? untilAborted : (to, path, args) => callTool(path, args);
    return new CallPromise((resolve) => resolve(waits(signal, path, args)), path);
  },
  construct() { throw new TypeError("A tool is called without new"); },
  ownKeys: enumeration, has: enumeration, getOwnPropertyDescriptor: enumeration,
  set: readOnly, defineProperty: readOnly, deleteProperty: readOnly, setPrototypeOf: readOnly, preventExtensions: readOnly,
  getPrototypeOf: () => null,
};

// What {...promise} and Object.assign read: a promise has nothing else of its own.
const SPREAD = {
  enumerable: true, configurable: true,
  get() {
    const path = pathOf(this) ?? "x";
    throw new TypeError(`tools.${path}(...) was not awaited, so it has nothing to spread: await it, as in {...(await tools.${path}(...)).data}`);
  },
};

// A call's promise: what its result will have throws until it was awaited, instead of reading as undefined.
class CallPromise extends RealPromise {
  #path;
  constructor(executor, path) { super(executor); this.#path = path; defineProperty(this, "await", SPREAD); }
  static pathOf(promise) { return #path in promise ? promise.#path : undefined; }
}
define(CallPromise.prototype, "constructor", RealPromise);  // so that await and then treat it as any promise
const { pathOf } = CallPromise;
for (const key of ["ok", "data", "error", "http", "items", "total", "results", "bestPath", "alternatives", "hasMore", "nextOffset",
  "path", "description", "inputTypeScript", "outputTypeScript", "typeScriptDefinitions", "value", "pages", "length"]) {
  defineProperty(CallPromise.prototype, key, { configurable: true, get() { throw new TypeError(mustAwait(this, `.${key}`)); } });
}
define(CallPromise.prototype, "toString", function toString() { throw new TypeError(mustAwait(this, "")); });

function mustAwait(promise, read) {
  const path = pathOf(promise) ?? "x";
  return `tools.${path}(...) was not awaited, so it has no result yet: await it, as in (await tools.${path}(...))${read}`;
}

// With {signal} as second argument the wait ends when it aborts.
function untilAborted(signal, path, args) {
  signal.throwIfAborted();
  const call = callTool(path, args);
  return new RealPromise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    if (call instanceof RealPromise) then(call, resolve, reject); else resolve(call);
  });
}

let notedSecond = false;
function noteSecondArgument(path) {
  if (!notedSecond) writeLog("warn", `tools.${path}: only the first argument is sent, a second one has no effect`);
  notedSecond = true;
}
const getPath = uncurry(WeakMap.prototype.get);
const setPath = uncurry(WeakMap.prototype.set);
const toolPath = (target) => getPath(toolPaths, target);

function makeTool(path) {
  const target = () => undefined;
  const tool = new Proxy(target, traps);
  setPath(toolPaths, target, path);
  setPath(toolPaths, tool, path);
  return tool;
}
defineProperty(globalThis, "tools", { value: makeTool(""), enumerable: true, configurable: true, writable: true });

// ---- what is not here: truly absent, and the ReferenceError says what to do instead ------------------------------
const INSTEAD = "This sandbox has no network, files or modules: reach everything through tools, " +
  "for example await tools.search({query: \"what you need\"}).";
const BYTES = "Bytes are Uint8Array here; text and base64 go through TextEncoder, TextDecoder, btoa and atob.";
const GLOBAL = "The global object is globalThis.";
const ADVICE = {
  __proto__: null,
  setInterval: "Use a loop with await sleep(ms).",
  clearInterval: "Use a loop with await sleep(ms).",
  setImmediate: "Use queueMicrotask(f) or setTimeout(f, 0).",
  Buffer: BYTES, Blob: BYTES, File: BYTES, FileReader: BYTES,
  FormData: "Give the fields as an object to the tool.",
  print: "Write console.log(x), or return the value.",
  None: "This is JavaScript: write null.", True: "This is JavaScript: write true.", False: "This is JavaScript: write false.",
  window: GLOBAL, global: GLOBAL, self: GLOBAL,
  WeakRef: "It would break replay.", FinalizationRegistry: "It would break replay.",
  SharedArrayBuffer: "There is one thread.", Atomics: "There is one thread.", WebAssembly: "Write JavaScript.",
};
const ABSENT = ["fetch", "require", "XMLHttpRequest", "WebSocket", "EventSource", "process", "module", "exports", "axios",
  "document", "navigator", "localStorage", "sessionStorage", "Headers", "Request", "Response", "Deno", "Bun",
  "__dirname", "__filename", "Worker", "fs", "path", "os"];
for (const name of ABSENT) ADVICE[name] = INSTEAD;
for (const name of Object.keys(ADVICE)) deleteProperty(globalThis, name);

function adviceFor(message) {
  const found = exec(/^'?([\w$]+)'? is not defined$/, message);
  return found && ADVICE[found[1]] ? `${found[1]} is not available. ${ADVICE[found[1]]}` : null;
}
