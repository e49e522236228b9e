// One execution: compile, run, collect what happened, settle what arrives.
const WRAP = '"use strict";(async()=>';  // one more character, ( or {, follows: see `compile`
const PREFIX = WRAP.length + 1;
const MEMORY_MESSAGE = "The code used more memory than the sandbox allows (its JavaScript heap ends at 128 MiB).";

let events = [];
let cursor = 0;
let newestTimer = 0;
let outcome = null;      // the body of the final message once the code has settled
let needsTransform = false;
let sourceLines = [""];
let firstPlace = [1, 1];
let compiled = null;
let callDefault = false;  // the value of the code is what it exported as default: if it is a function, call it
let lacking = null;       // syntax that neither the transform nor the engine knows, found by reading: {message, line, column}
let shifts = [];          // [line, column, width] of what was put into the source: places are told without it

// ---- stacks: the agent's own frames only, in the agent's own positions -----------------------------------------
// The engine's (line, byte) as the reader's (line, column). It knows no place for what a function does first, and then
// gives the function's own, which for the outermost function is our prefix: that stands for the first token.
function position(line, bytes) {
  if (line === 1 && bytes <= PREFIX) return firstPlace;
  if (line > sourceLines.length) return [sourceLines.length, sourceLines[sourceLines.length - 1].length + 1];
  const at = line === 1 ? bytes - PREFIX + 1 : bytes;  // the engine counts the first line's from 0, the others' from 1
  const text = sourceLines[line - 1];
  if (!test(NON_ASCII, text)) return unshifted(line, min(at, text.length + 1));
  let counted = 0;
  let points = 0;
  for (const point of text) {           // the engine counts UTF-8 bytes; people count characters
    counted += byteLength(point);
    if (counted >= at) break;
    points++;
  }
  return unshifted(line, points + 1);
}

function unshifted(line, column) {
  let moved = 0;
  for (let i = 0; i < shifts.length; i++) {
    if (shifts[i][0] === line && shifts[i][1] < column) moved += min(shifts[i][2], column - shifts[i][1]);
  }
  return [line, column - moved];
}

const isAgents = (site) => site.getFileName() === "<input>";

function renderFrame(site, isNear) {
  if (!isAgents(site)) return "";
  const [line, column] = position(site.getLineNumber(), site.getColumnNumber());
  const place = isNear ? `agent.ts, near line ${line}` : `agent.ts:${line}:${column}`;
  const name = site.getFunctionName();
  return name && name !== "<eval>" && name !== "<anonymous>" ? `    at ${name} (${place})\n` : `    at ${place}\n`;
}

const MIXED_ADVICE = ". Integers beyond 2^53 are BigInt here: use BigInt on both sides (5n), or Number(x) where rounding is fine";

function explain(error) {
  if (error instanceof ReferenceError) {
    const advice = adviceFor(`${error.message}`);
    if (advice) define(error, "message", advice);
  } else if (error instanceof TypeError && error.message === "cannot convert BigInt to number") {
    define(error, "message", error.message + MIXED_ADVICE);
  }
}

// The engine calls this for every new error. It keeps the function it was given even after the property is
// replaced, so that agent code can neither read prelude frames nor reach the prelude's functions through them.
function prepareStack(error, sites) {
  let top = 0;
  while (top < sites.length && !isAgents(sites[top])) top++;
  const isNear = top < sites.length && isVague(error, top);
  if (startsWith(`${error && error.message}`, "could not load module")) {
    define(error, "message", "import() is not available. " + INSTEAD);
    setPrototypeOf(error, TypeError.prototype);  // a ReferenceError is about a name
  } else explain(error);
  if (top > 0 && error instanceof RealError) setNear(throwers, error, sites[0].getFunctionName());
  if (isNear) setNear(nearPlaces, error, position(sites[top].getLineNumber(), sites[top].getColumnNumber()));
  let text = "";
  for (let i = isInText(error, sites) ? 1 : 0; i < sites.length; i++) text += renderFrame(sites[i], isNear && i === top);
  return text;
}

// The engine notes a place for calls, operators and statements that are expressions, and for nothing else: the errors
// that arise elsewhere are given the place noted before. Those are only near it; the worker looks for the exact one.
const nearPlaces = new WeakMap();
const throwers = new WeakMap();  // the name of the function, not the agent's, that made an error
const setNear = uncurry(WeakMap.prototype.set);
const getNear = uncurry(WeakMap.prototype.get);
const VAGUE = /^(cannot (read|set) property '|Cannot convert undefined or null|value is not iterable|parent class must|not an object$|[\w$]+ is not (defined|initialized)|'[\w$]+' is (not defined|read-only))/;
const NO_TEXT = /^tools(\..* was not awaited|.* has no text: )/;
const isVague = (error, top) => test(top === 0 ? VAGUE : NO_TEXT, `${error && error.message}`) && !(error && getNear(nearPlaces, error));

// JSON.parse and eval put a place inside the text that they read before the frames of the code that called them.
const isInText = (error, sites) => error instanceof SyntaxError && sites.length > 1 && isAgents(sites[0])
  && !isAgents(sites[1]) && hasAgents(sites, 1);

function hasAgents(sites, from) {
  for (let i = from; i < sites.length; i++) if (isAgents(sites[i])) return true;
  return false;
}
RealError.prepareStackTrace = prepareStack;
defineProperty(RealError, "prepareStackTrace", { value: undefined, writable: false, configurable: false });

// ---- compile ---------------------------------------------------------------------------------------------------
function attempt(source, open, close) {
  try {
    return { run: indirectEval(`${WRAP}${open}${source}\n${close})`) };
  } catch (error) {
    return { error, place: placeOf(error) };
  }
}

// A lone expression gives its value, anything else is the body of an async function. When neither parses, the
// attempt that got further has the better error.
// With `tail` the last statement is an expression and begins there: its value is the body's.
function compile(source, expression, tail, declares) {
  const asExpression = declares ? attempt("", "(", ")") : attempt(expression ?? source, "(", ")");
  if (asExpression.run) return { run: asExpression.run, expression: true };
  const returning = tail && attempt(`${slice(source, 0, tail.at)}return ${slice(source, tail.at)}`, "{", "}");
  if (returning && returning.run) { returnFrom(tail); return { run: returning.run, expression: false }; }
  const asBody = attempt(source, "{", "}");
  if (asBody.run) return { run: asBody.run, expression: false };
  if (declares) return asBody;
  const [a, b] = [asExpression.place, asBody.place];
  return a && b && (a[0] > b[0] || (a[0] === b[0] && a[1] > b[1])) ? asExpression : asBody;
}

function returnFrom({ line, column }) {
  const width = "return ".length;
  for (let i = 0; i < shifts.length; i++) if (shifts[i][0] === line && shifts[i][1] >= column) shifts[i][1] += width;
  define(shifts, shifts.length, [line, column, width], true);
  const text = sourceLines[line - 1];
  sourceLines[line - 1] = `${slice(text, 0, column - 1)}return ${slice(text, column - 1)}`;
}

function placeOf(error) {
  let stack;
  try { stack = `${error.stack}`; } catch { return null; }
  const found = exec(/(?:agent\.ts|<input>):(\d+):(\d+)/, stack);
  if (!found) return null;
  return startsWith(found[0], "<input>") ? position(+found[1], +found[2]) : [+found[1], +found[2]];
}

function begin(start) {
  if (start.limits) {
    limits = start.limits;
    now = startedAt = start.now;
    seedWith(start.seed);
    ({ callDefault, lacking, shifts } = start);
    if (start.spread) writeLog("warn", start.spread);
  }
  if (start.syntax) {
    const { message, line, column } = lacking ?? start.syntax;
    return finishWithError("syntax", "SyntaxError", message, "", [line, column]);
  }
  if (start.source !== null) {
    sourceLines = split(start.source, "\n");
    firstPlace = start.first;
    if (start.mustTransform) { needsTransform = true; return undefined; }
    compiled = compile(start.source, start.expression, start.tail, start.declares);
    if (compiled.run) return launch(compiled, start.call);
    if (start.mayTransform) { needsTransform = true; return undefined; }
  }
  if (start.unavailable) {
    const fault = compiled ? `Read as JavaScript: ${saidBefore(compiled)}.` : "Nothing is wrong with the code.";
    const said = `This server cannot compile TypeScript: ${start.unavailable}. Send plain JavaScript, without types. ${fault}`;
    return finishWithError("error", "TypeScriptUnavailableError", said, "", null);
  }
  // No transform, or none that helped: what the engine's own parser said stands.
  if (lacking) return finishWithError("syntax", "SyntaxError", lacking.message, "", [lacking.line, lacking.column]);
  const said = compiled ? saidBefore(compiled) : "this is TypeScript, and its transform is not available";
  return finishWithError("syntax", "SyntaxError", said, "", null);
}

// The engine complains when it has read on: the mistake lies where it is then, or before.
function saidBefore({ error, place }) {
  if (place === null) return `${error.message}`;
  return `${error.message} (${place[0] === 1 ? "" : "in or before "}line ${place[0]})`;
}

function launch(compiled, callIt) {
  let result = compiled.run();
  if (callIt && compiled.expression) result = then(result, (value) => value());
  else if (callDefault) result = then(result, (value) => (typeof value === "function" && !isClass(value) ? value() : value));
  then(result, finish, fail);
}

const isClass = (value) => startsWith(functionText(value), "class");
const functionText = uncurry(Function.prototype.toString);

// ---- outcome ---------------------------------------------------------------------------------------------------
function finish(value) {
  let text;
  try {
    text = toJson(value);
    if (sawPromise) return void then(awaitInside(value), finish, fail);
    noteLost("The result", value, text);
    if (text === undefined && value !== undefined) writeLog("warn", `The result is lost: ${describeText(value)} is no JSON. ${instead(value)}`);
  } catch (error) {
    if (isMemory(error)) return fail(error);
    const why = `The returned value cannot be written as JSON: ${error && error.message}`;
    return finishWithError("error", "TypeError", why, "", null);
  }
  if (text !== undefined && byteLength(text, limits.resultBytes) > limits.resultBytes) {
    const why = `The returned value is larger than ${limits.resultBytes} bytes. Return less: pick fields, filter, or slice.`;
    return finishWithError("limit", "ResultLimitError", why, "", null);
  }
  outcome = `"ok":true${text === undefined ? "" : `,"value":${text}`}`;
}

function instead(value) {
  if (typeof value !== "function") return "Return its value.";
  return !toolPaths.has(value) && isClass(value) ? "Return a value, or an instance of it." : "Call it, and return what it gives.";
}

// Without memory for an error the engine throws null, and without memory for its text an empty message. Code that
// throws null itself says so.
const THROWS_NULL = /\bthrow\s+null\b|\breject\s*\(\s*null\b/;
function threwNull() {
  for (let i = 0; i < sourceLines.length; i++) if (test(THROWS_NULL, sourceLines[i])) return true;
  return false;
}

function isMemory(error) {
  return (error === null && !threwNull()) || (error instanceof InternalError && (error.message === "out of memory" || error.message === ""));
}
const { InternalError } = globalThis;
// Code that catches it sees what it is, too. Nothing is made for it: there is no memory.
defineProperty(InternalError.prototype, "name", { configurable: true, get() { return this.message === "out of memory" ? "MemoryLimitError" : "InternalError"; } });

function fail(error) {
  if (isMemory(error)) {
    return finishWithError("limit", "MemoryLimitError", MEMORY_MESSAGE, stackOf(error), error && placeOf(error));
  }
  let name = "Error";
  let message;
  try {
    if (error instanceof RealError || looksLikeError(error)) { name = `${error.name ?? name}`; message = `${error.message}`; }
    else message = describeText(error);
  } catch { message = "a value that cannot be shown was thrown"; }
  const near = typeof error === "object" && error !== null ? getNear(nearPlaces, error) : undefined;
  finishWithError("error", name, message, stackOf(error), near ? null : placeOf(error), near,
    (typeof error === "object" && error !== null && getNear(throwers, error)) || name, fieldsOf(error));
}

// `throw result.error`: an object with a message is shown as an error is.
function looksLikeError(thrown) {
  return isRecord(thrown) && typeof thrown.message === "string" && thrown.message !== "" &&
    (thrown.name === undefined || typeof thrown.name === "string");
}
const isRecord = (thrown) => typeof thrown === "object" && thrown !== null && !isArray(thrown) && !(thrown instanceof RealPromise);

// What code put into an error beside its name and its text (`code`, `status`, `cause`), as JSON text. A field that JSON
// cannot hold is described; one for which there is no room says so.
const MOST_FIELD_CHARACTERS = 8192;
function fieldsOf(error) {
  if (!isRecord(error)) return "";
  let [text, room] = ["", MOST_FIELD_CHARACTERS];
  try {
    const isShown = error instanceof RealError || looksLikeError(error);
    const keys = ownKeys(error);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (typeof key !== "string" || (isShown && (key === "name" || key === "message" || key === "stack"))) continue;
      let field = `${stringify(key)}:${fieldText(error, key)}`;
      if (field.length > room) field = `${stringify(slice(key, 0, 64))}:${stringify(`... (${field.length} characters, left out)`)}`;
      if (field.length > room) break;
      room -= field.length + 1;
      text += (text ? "," : "") + field;
    }
  } catch { return ""; }
  return text && `{${text}}`;
}

function fieldText(error, key) {
  try {
    const value = error[key];
    return (value instanceof RealPromise ? undefined : toJson(value)) ?? stringify(describeText(value));
  } catch (why) { return stringify(`[cannot be shown: ${why instanceof RealError ? why.message : describeText(why)}]`); }
}

function stackOf(error) {
  try { return error instanceof RealError && typeof error.stack === "string" ? error.stack : ""; } catch { return ""; }
}

function finishWithError(kind, name, message, stack, place, near, by, fields) {
  const cut = (text) => (text.length > 8192 ? slice(text, 0, 8192) + " ..." : text);
  outcome = `"ok":false,"error":{"name":${stringify(cut(name))},"message":${stringify(cut(message))},` +
    `"stack":${stringify(cut(stack))},"line":${place ? place[0] : null},"column":${place ? place[1] : null},"kind":"${kind}"` +
    `${fields ? `,"fields":${stringify(fields)}` : ""}` +
    `${by ? `,"by":${stringify(cut(by))}` : ""}${near ? `,"near":[${near}]` : ""}}`;
}

// ---- the exchange: the worker calls step(0, events) for a new frame and step(1) for its next event, runs the jobs, and asks
// with step(2) for the answer. step(3) rehearses: it does what an execution does, without effect, so that the pages it
// touches are a worker's own before anybody waits for them. step(4) logs what a promise was rejected with.
function step(what, given) {
  removeReserved();
  if (what === 2) return collect();
  if (what === 3) return rehearse(given);
  if (what === 4) return logRejection(given);
  if (what === 0) { events = given; cursor = 0; }
  return advance();
}

// The names under which this engine's extension would offer a way out, were it used whole. Nothing else stands there:
// code that makes sure of it ends here.
function removeReserved() {
  if (!deleteProperty(globalThis, "dukpy") || !deleteProperty(globalThis, "call_python")) {
    throw new TypeError("the names dukpy and call_python are taken");
  }
}

function logRejection(reason) {
  let text = "a value that cannot be shown";
  try { text = describeText(reason); } catch { /* said already */ }
  writeLog("error", `A promise was rejected and nothing handled it: ${text}`);
}

function advance() {
  if (outcome !== null) return;               // reached by a micro-task of the event before
  if (isDue(newestTimer)) return fireOne(newestTimer);
  if (cursor >= events.length) return;        // a timer that was due has been cleared
  const event = events[cursor];
  events[cursor++] = null;                    // what was delivered is the code's alone from now on
  newestTimer = 0;
  if (event.now > now && !own(event, "source")) ({ now } = event);
  if (own(event, "source")) begin(event);
  else if (own(event, "timer")) { newestTimer = lastTimer; fireOne(newestTimer); }
  else { if (own(event, "big")) restoreBigInts(event); settle(event); }
}

function rehearse(given) {
  then(compile("1").run(), (value) => toJson({ value }));
  return slice(stringify(given), 0, 0);
}

// true: there is more to do before the worker may answer. A string: the frame to send. It is asked for once: what it took
// is gone if the engine then has no memory to hand it over, and asking again would lose calls in silence.
// What the code has not awaited is sent, but the code behind it never runs: `list.forEach(async ...)` is the usual case.
function noteUnderWay() {
  const count = outstanding();
  if (count === 0) return;
  let first = 0;
  while (mapGet(pending, first) === undefined) first++;
  const what = `${count === 1 ? "1 call was" : `${count} calls were`} under way, ${count === 1 ? "" : "the first of them "}tools.${mapGet(pending, first).path}`;
  writeLog("warn", `The code returned while ${what}: it is sent, but no code behind it runs. Await it, as in await Promise.all(list.map(async (x) => ...)), and not in forEach.`);
}

function collect() {
  if (needsTransform) { needsTransform = false; return '{"t":"transform"}'; }
  if (outcome === null && (cursor < events.length || isDue(newestTimer))) return true;
  if (outcome === null && outstanding() === 0 && timers.length === 0) {
    const why = "The code waits for something that can never happen: no call and no timer is pending.";
    finishWithError("error", "Error", why, "", null);
  }
  if (outcome !== null && startsWith(outcome, '"ok":true')) noteUnderWay();
  const calls = takeCalls();
  const tail = `"calls":[${calls}],"logs":[${takeLogs()}],"emits":[${takeEmits()}]}`;
  if (outcome !== null) return `{"t":"done",${outcome},${tail}`;
  return `{"t":"blocked","wake":${timers.length ? timers[0].at : null},${tail}`;
}
return step;
