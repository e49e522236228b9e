// ---- logs and emitted values: bounded here, so that a flood costs the worker's own time and nothing else ----------
let logs = "";
let logged = 0;
let logsClosed = false;

function writeLog(level, text) {
  if (logsClosed) return;
  const room = limits.logBytes - logged;
  const size = byteLength(text, room);
  if (size > room) {
    logsClosed = true;
    text = slice(text, 0, floor(room / 4)) + ` ... (logs end here: more than ${limits.logBytes} bytes)`;
  }
  logged += size;
  logs += `${logs ? "," : ""}["${level}",${stringify(text)}]`;
}

function takeLogs() { const taken = logs; logs = ""; return taken; }

function describeText(value) {
  if (typeof value === "string") return value;
  if (typeof value === "bigint") return bigToString(value) + "n";
  if (typeof value === "function") return toolPaths.has(value) ? `[tool ${toolPaths.get(value)}]` : `[Function ${value.name}]`;
  if (value === null || typeof value !== "object") return String(value);
  if (value instanceof RealError) return `${value.name}: ${value.message}\n${value.stack}`.trimEnd();
  try { return stringify(value, showInside) ?? "[object]"; } catch { return describeOpaque(value); }
}

function describeOpaque(value) {
  try { return `[${isArray(value) ? "Array" : value.constructor.name} that cannot be written as JSON]`; }
  catch { return "[object]"; }
}

function showInside(key, item) {
  if (typeof item === "function") return describeText(item);
  if (item instanceof RealMap) return [...item];
  if (item instanceof Set) return [...item];
  if (item instanceof RealError) return `${item.name}: ${item.message}`;
  return item;
}

const levels = ["log", "info", "warn", "error", "debug"];
const consoleObject = {};
for (const level of levels) {
  define(consoleObject, level, (...values) => {
    if (logsClosed) return;
    let line = "";
    for (let i = 0; i < values.length; i++) line += (i ? " " : "") + describeText(values[i]);
    writeLog(level, line);
  }, true);
}
define(globalThis, "console", consoleObject);

let emits = "";
let emitted = 0;

define(globalThis, "emit", function emit(value) {
  const text = toJson(value);
  if (text === undefined) throw new TypeError("emit needs a value that can be written as JSON");
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
  __proto__: null, search: "query", discover: "query", "describe.tool": "path",
  "executor.integrations.list": "query", "executor.connections.list": "integration",
};

function callTool(path, args) {
  const name = typeof args[0] === "string" ? TEXT_ARGUMENT[path] : undefined;
  const input = args.length === 0 || args[0] === undefined ? {} : name ? { [name]: args[0] } : args[0];
  if (typeof input !== "object" || input === null || isArray(input)) {
    const got = input === null ? "null" : isArray(input) ? "an array" : `a ${typeof input}`;
    throw new TypeError(`tools.${path}: the argument must be one object, such as {id: 1}; got ${got}`);
  }
  const text = toJson(input);
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
  return new RealPromise((resolve, reject) => { mapSet(pending, seq, { resolve, reject }); });
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
    if (typeof key === "symbol") return undefined;
    for (let i = 0; i < UNDEFINED.length; i++) if (UNDEFINED[i] === key) return undefined;
    const path = toolPath(target);
    return makeTool(path ? `${path}.${key}` : key);
  },
  apply(target, self, args) {
    const path = toolPath(target);
    if (!path) throw new TypeError("tools is not a function. Call a tool by its path: tools.github.org.main.repos.get({...})");
    return (async () => callTool(path, args))();
  },
  construct() { throw new TypeError("A tool is called without new"); },
  ownKeys: enumeration, has: enumeration, getOwnPropertyDescriptor: enumeration,
  set: readOnly, defineProperty: readOnly, deleteProperty: readOnly, setPrototypeOf: readOnly, preventExtensions: readOnly,
  getPrototypeOf: () => null,
};
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

// ---- what is not here --------------------------------------------------------------------------------------------
const INSTEAD = "This sandbox has no network, files or modules: reach everything through tools, " +
  "for example await tools.search({query: \"what you need\"}).";

function absent(name, advice = INSTEAD) {
  define(globalThis, name, function () { throw new RealError(`${name} is not available. ${advice}`); });
}
absent("fetch");
absent("require");
absent("XMLHttpRequest");
absent("WebSocket");
absent("setInterval", "Use a loop with await sleep(ms).");
absent("setImmediate", "Use queueMicrotask(f) or setTimeout(f, 0).");
const noProcess = () => { throw new RealError(`process is not available. ${INSTEAD}`); };
define(globalThis, "process", new Proxy({}, {
  get: (target, key) => (typeof key === "symbol" ? undefined : noProcess()),
  set: noProcess, has: noProcess, ownKeys: noProcess, getOwnPropertyDescriptor: noProcess, deleteProperty: noProcess,
}));
const REMOVED = ["WeakRef", "FinalizationRegistry", "SharedArrayBuffer", "Atomics", "call_python", "dukpy"];
for (const name of REMOVED) {
  deleteProperty(globalThis, name);
}
