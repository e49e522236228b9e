// ---- logs: bounded here, so that a flood costs the worker's own time and nothing else -----------------------------
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
  if (typeof value === "function") return toolPaths.has(value) ? `[tool ${toolPaths.get(value)}]` : nameOf(value);
  if (value === null || typeof value !== "object") return String(value);
  if (value instanceof RealPromise) return unfinished(value);
  if (value instanceof RealError) return `${value.name}: ${value.message}\n${value.stack}`.trimEnd();
  try { return stringify(value, showInside) ?? "[object]"; } catch { return describeOpaque(value); }
}

function nameOf(value) {
  const name = typeof value.name === "string" && value.name !== "$default" ? value.name : "";
  return `[${isClass(value) ? "class" : "Function"}${name ? " " : ""}${name}]`;
}

function describeOpaque(value) {
  try { return `[${isArray(value) ? "Array" : value.constructor.name} that cannot be written as JSON]`; }
  catch { return "[object]"; }
}

function showInside(key, item) {
  const held = this[key];
  if (typeof held === "function" || typeof held === "bigint" || held instanceof RealPromise) return describeText(held);
  if (held instanceof RealError) return `${held.name}: ${held.message}`;
  return item;
}

function unfinished(promise) {
  const path = pathOf(promise);
  return path ? `[Promise of tools.${path}: await it]` : "[Promise: await it]";
}

const consoleObject = {};
let indent = "";

// The formatter of the console standard, 2.2.1, and Node's %j: a text with % before other values says how to write them.
const SPECIFIER = /%[sdifjoOc%]/g;
const asNumber = (value, parse) => (typeof value === "bigint" ? `${bigToString(value)}n` : typeof value === "symbol" ? "NaN" : `${parse(value)}`);
const WRITE = {
  __proto__: null,
  "%s": describeText, "%j": describeText, "%o": describeText, "%O": describeText, "%c": () => "",
  "%i": (value) => asNumber(value, realParseInt),
  "%d": (value) => asNumber(value, RealNumber),
  "%f": (value) => asNumber(value, realParseFloat),
};

function formatted(values) {
  if (values.length < 2 || typeof values[0] !== "string" || !includes(values[0], "%")) return values;
  let used = 1;
  const text = replace(values[0], SPECIFIER, (found) => {
    if (found === "%%") return "%";
    return used < values.length ? WRITE[found](values[used++]) : found;
  });
  return [text, ...values.slice(used)];
}

function say(level, given) {
  if (logsClosed) return;
  let line = "";
  const values = formatted(given);
  for (let i = 0; i < values.length; i++) line += (i ? " " : "") + describeText(values[i]);
  writeLog(level, indent ? indent + replace(line, /\n/g, `\n${indent}`) : line);
}

for (const level of ["log", "info", "warn", "error", "debug"]) {
  define(consoleObject, level, (...values) => say(level, values), true);
}

// The rest of the console (https://console.spec.whatwg.org), as lines of the levels above.
const counts = new RealMap();
const stopwatches = new RealMap();

function lap(label, values, stop) {
  const since = mapGet(stopwatches, label);
  if (since === undefined) return say("warn", [`console.time: there is no timer "${label}"`]);
  if (stop) mapDelete(stopwatches, label);
  return say("log", [[`${label}: ${now - since} ms`, ...values.map(describeText)].join(" ")]);
}

function table(data, columns) {
  if (data === null || typeof data !== "object") return say("log", [data]);
  const rows = data instanceof RealMap ? [...data] : Object.entries(data instanceof Set ? [...data] : data);
  const isRow = (value) => value !== null && typeof value === "object";
  const names = columns ?? [...new Set(rows.flatMap(([, row]) => (isRow(row) ? Object.keys(row) : [])))];
  const plain = columns === undefined && rows.some(([, row]) => !isRow(row));
  const cells = [["(index)", ...names, ...(plain ? ["Value"] : [])]];
  for (const [index, row] of rows) {
    const line = names.map((name) => (isRow(row) && name in row ? describeText(row[name]) : ""));
    cells.push([describeText(index), ...line, ...(plain ? [isRow(row) ? "" : describeText(row)] : [])]);
  }
  const widths = cells[0].map((_, at) => max(...cells.map((line) => line[at].length)));
  const text = cells.map((line) => line.map((cell, at) => cell.padEnd(widths[at])).join(" | ").trimEnd());
  return say("log", [text.join("\n")]);
}

function assertion([first, ...values]) {
  if (typeof first === "string") return [`Assertion failed: ${first}`, ...values];
  return first === undefined && !values.length ? ["Assertion failed"] : ["Assertion failed:", first, ...values];
}

const more = {
  table,
  dir: (value) => say("log", [value]),
  dirxml: (...values) => say("log", values),
  trace: (...values) => say("debug", ["Trace:", ...values, `\n${new RealError().stack}`.trimEnd()]),
  assert: (holds, ...values) => { if (!holds) say("error", assertion(values)); },
  count: (label = "default") => { mapSet(counts, label, (mapGet(counts, label) ?? 0) + 1); say("log", [`${label}: ${mapGet(counts, label)}`]); },
  countReset: (label = "default") => { mapDelete(counts, label); },
  time: (label = "default") => { mapSet(stopwatches, label, now); },
  timeLog: (label = "default", ...values) => lap(label, values, false),
  timeEnd: (label = "default") => lap(label, [], true),
  group: (...values) => { if (values.length) say("log", values); indent += "  "; },
  groupCollapsed: (...values) => more.group(...values),
  groupEnd: () => { indent = slice(indent, 2); },
  clear: () => {},
};
for (const name of Object.keys(more)) define(consoleObject, name, more[name], true);
define(globalThis, "console", consoleObject);
