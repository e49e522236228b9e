// The web's small helpers: base64, UTF-8, structuredClone, URL (WHATWG URL Standard; hosts outside ASCII must be given
// in their xn-- form, and IPv4 hosts in dotted decimals).
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

define(globalThis, "btoa", function btoa(data) {
  const text = `${data}`;
  let out = "";
  for (let i = 0; i < text.length; i += 3) {
    const [a, b, c] = [text.charCodeAt(i), text.charCodeAt(i + 1), text.charCodeAt(i + 2)];
    if (a > 255 || b > 255 || c > 255) throw new DOMException("btoa needs characters up to U+00FF", "InvalidCharacterError");
    out += BASE64[a >> 2] + BASE64[((a & 3) << 4) | (b >> 4)];
    out += i + 1 < text.length ? BASE64[((b & 15) << 2) | (c >> 6)] : "=";
    out += i + 2 < text.length ? BASE64[c & 63] : "=";
  }
  return out;
});

define(globalThis, "atob", function atob(data) {
  const text = `${data}`.replace(/[\t\n\f\r ]/g, "").replace(/={1,2}$/, (pad, at) => ((at + pad.length) % 4 === 0 ? "" : pad));
  if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text)) {
    throw new DOMException("atob needs valid base64", "InvalidCharacterError");
  }
  let out = "";
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    held = ((held << 6) | BASE64.indexOf(text[i])) & 0xffff;
    bits += 6;
    if (bits >= 8) { bits -= 8; out += String.fromCharCode((held >> bits) & 255); }
  }
  return out;
});

class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(input = "") {
    const text = `${input}`.toWellFormed();
    const bytes = new Uint8Array(byteLength(text));
    let at = 0;
    for (let i = 0; i < text.length; i++) {
      const point = text.codePointAt(i);
      if (point < 0x80) { bytes[at++] = point; continue; }
      if (point < 0x800) bytes[at++] = 0xc0 | (point >> 6);
      else {
        if (point < 0x10000) bytes[at++] = 0xe0 | (point >> 12);
        else { bytes[at++] = 0xf0 | (point >> 18); bytes[at++] = 0x80 | ((point >> 12) & 63); i++; }
        bytes[at++] = 0x80 | ((point >> 6) & 63);
      }
      bytes[at++] = 0x80 | (point & 63);
    }
    return bytes;
  }
}

class TextDecoder {
  #fatal; #keepMark;
  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!/^(utf-?8|unicode-1-1-utf-8)$/i.test(`${label}`.trim())) throw new RangeError("TextDecoder knows only utf-8");
    this.#fatal = !!fatal;
    this.#keepMark = !!ignoreBOM;
  }
  get encoding() { return "utf-8"; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#keepMark; }
  decode(input = new Uint8Array(0)) {
    const bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength) : new Uint8Array(input);
    const text = decodeUtf8(bytes, this.#fatal);
    return !this.#keepMark && text[0] === "\ufeff" ? text.slice(1) : text;
  }
}

// Unicode 3.9, "maximal subpart" practice: one U+FFFD for each ill-formed piece.
function decodeUtf8(bytes, fatal) {
  let out = "";
  for (let i = 0; i < bytes.length;) {
    const lead = bytes[i++];
    if (lead < 0x80) { out += String.fromCharCode(lead); continue; }
    let need = lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 0;
    let low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    let high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    let point = need === 1 ? lead & 31 : need === 2 ? lead & 15 : lead & 7;
    let good = need > 0;
    for (; good && need > 0; need--) {
      if (i < bytes.length && bytes[i] >= low && bytes[i] <= high) point = (point << 6) | (bytes[i++] & 63);
      else good = false;
      [low, high] = [0x80, 0xbf];
    }
    if (!good && fatal) throw new TypeError("The data is not valid UTF-8");
    out += good ? String.fromCodePoint(point) : "\ufffd";
  }
  return out;
}
define(globalThis, "TextEncoder", TextEncoder);
define(globalThis, "TextDecoder", TextDecoder);

// ---- structuredClone (HTML, 2.7): what JSON loses survives, functions are refused --------------------------------
define(globalThis, "structuredClone", (value) => cloneOne(value, new Map()));

function cloneOne(value, seen) {
  if (typeof value === "function" || typeof value === "symbol") {
    throw new DOMException(`${typeof value === "symbol" ? "A symbol" : "A function"} cannot be cloned`, "DataCloneError");
  }
  if (value === null || typeof value !== "object") return value;
  if (seen.has(value)) return seen.get(value);
  const copy = emptyCopy(value);
  seen.set(value, copy);
  if (value instanceof Map) for (const [key, item] of value) copy.set(cloneOne(key, seen), cloneOne(item, seen));
  else if (value instanceof Set) for (const item of value) copy.add(cloneOne(item, seen));
  else if (isArray(value) || !isSpecial(value)) {
    for (const key of Object.keys(value)) define(copy, key, cloneOne(value[key], seen), true);
  }
  return copy;
}

function isSpecial(value) {
  return value instanceof Date || value instanceof RegExp || value instanceof Error
    || value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function emptyCopy(value) {
  if (isArray(value)) return new Array(value.length);
  if (value instanceof Map) return new Map();
  if (value instanceof Set) return new Set();
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (value instanceof DataView) return new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength));
  if (ArrayBuffer.isView(value)) return value.slice();
  if (value instanceof Error) {
    const copy = new Error(value.message);
    define(copy, "name", `${value.name}`);
    return copy;
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) {
    throw new DOMException("This object cannot be cloned", "DataCloneError");
  }
  return {};
}

// ---- URLSearchParams ----------------------------------------------------------------------------------------------
const formEncode = (text) => encodeURIComponent(text.toWellFormed())
  .replace(/[!'()~]/g, (char) => "%" + char.charCodeAt(0).toString(16).toUpperCase()).replace(/%20/g, "+");
const formDecode = (text) => percentDecode(text.replace(/\+/g, " "));

function percentDecode(text) {
  if (!text.includes("%")) return text;
  const source = new TextEncoder().encode(text);
  const bytes = [];
  for (let i = 0; i < source.length; i++) {
    const code = source[i] === 37 ? parseInt(/^[0-9a-f]{2}$/i.exec(String.fromCharCode(source[i + 1], source[i + 2]))?.[0], 16) : NaN;
    if (Number.isNaN(code)) bytes.push(source[i]);
    else { bytes.push(code); i += 2; }
  }
  return decodeUtf8(Uint8Array.from(bytes), false);
}

class URLSearchParams {
  #pairs = []; #changed = () => {};
  constructor(init = "") {
    if (typeof init === "object" && init !== null) {
      const pairs = typeof init[Symbol.iterator] === "function" ? [...init] : Object.entries(init);
      for (const pair of pairs) {
        if ([...pair].length !== 2) throw new TypeError("URLSearchParams needs pairs");
        this.#pairs.push([`${pair[0]}`, `${pair[1]}`]);
      }
    } else this.#read(`${init}`.replace(/^\?/, ""));
  }
  #read(text) {
    this.#pairs = text.split("&").filter(Boolean).map((part) => {
      const at = part.indexOf("=");
      return at < 0 ? [formDecode(part), ""] : [formDecode(part.slice(0, at)), formDecode(part.slice(at + 1))];
    });
  }
  static bind(params, text, changed) { params.#read(text); params.#changed = changed; return params; }
  #update(pairs) { this.#pairs = pairs; this.#changed(this.toString()); }
  get size() { return this.#pairs.length; }
  append(name, value) { this.#update([...this.#pairs, [`${name}`, `${value}`]]); }
  delete(name, value) { this.#update(this.#pairs.filter(([n, v]) => n !== `${name}` || (value !== undefined && v !== `${value}`))); }
  get(name) { return this.#pairs.find(([n]) => n === `${name}`)?.[1] ?? null; }
  getAll(name) { return this.#pairs.filter(([n]) => n === `${name}`).map(([, value]) => value); }
  has(name, value) { return this.#pairs.some(([n, v]) => n === `${name}` && (value === undefined || v === `${value}`)); }
  set(name, value) {
    const at = this.#pairs.findIndex(([n]) => n === `${name}`);
    if (at < 0) return this.append(name, value);
    const kept = this.#pairs.filter(([n], i) => i === at || n !== `${name}`);
    kept[at] = [`${name}`, `${value}`];
    this.#update(kept);
  }
  sort() { this.#update([...this.#pairs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))); }
  forEach(callback, self) { for (const [name, value] of this.#pairs) callback.call(self, value, name, this); }
  *keys() { for (const [name] of this.#pairs) yield name; }
  *values() { for (const [, value] of this.#pairs) yield value; }
  *entries() { for (const [name, value] of this.#pairs) yield [name, value]; }
  [Symbol.iterator]() { return this.entries(); }
  toString() { return this.#pairs.map(([name, value]) => `${formEncode(name)}=${formEncode(value)}`).join("&"); }
}
const bindParams = URLSearchParams.bind;
delete URLSearchParams.bind;

// ---- URL ----------------------------------------------------------------------------------------------------------
const PORTS = { "http:": "80", "https:": "443", "ws:": "80", "wss:": "443", "ftp:": "21", "file:": "" };
const special = (protocol) => Object.hasOwn(PORTS, protocol);
const SETS = {
  fragment: /[^\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7e]/gu,
  query: /[^\x21\x24-\x26\x28-\x3b\x3d\x3f-\x7e]/gu,
  path: /[^\x21\x24-\x3b\x3d\x40-\x5d\x5f\x61-\x7a\x7c\x7e]/gu,
  user: /[^\x21\x24-\x2e\x30-\x39\x41-\x5a\x5f\x61-\x7a\x7e]/gu,
  opaque: /[^\x20-\x7e]/gu,
};
const escapeFor = (text, set) => text.replace(set, (char) => {
  let out = "";
  for (const byte of new TextEncoder().encode(char)) out += "%" + (byte + 256).toString(16).slice(1).toUpperCase();
  return out;
});

function invalid(input) { return new TypeError(`Invalid URL: ${input}`); }

function parseHost(text, protocol, input) {
  if (text.startsWith("[")) {
    if (!/^\[[0-9a-f:.]+\]$/i.test(text)) throw invalid(input);
    return text.toLowerCase();
  }
  const host = special(protocol) ? percentDecode(text).toLowerCase() : text;
  if (special(protocol) && (host === "" ? protocol !== "file:" : /[^\x21-\x7e]|[#/:<>?@[\\\]^|%]/.test(host))) throw invalid(input);
  if (/\.[0-9]+\.?$|^[0-9]+$/.test(host) && !/^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(host)) throw invalid(input);
  return protocol === "file:" && host === "localhost" ? "" : host;
}

function cleanPath(segments, protocol) {
  const out = [];
  segments.forEach((segment, i) => {
    const plain = segment.replace(/%2e/gi, ".");
    const last = i === segments.length - 1;
    if (plain === "..") { out.pop(); if (last) out.push(""); }
    else if (plain === ".") { if (last) out.push(""); }
    else out.push(escapeFor(segment, SETS.path));
  });
  return "/" + out.join("/");
}

function parseUrl(input, base) {
  let rest = `${input}`.replace(/^[\x00-\x20]+|[\x00-\x20]+$/g, "").replace(/[\t\n\r]/g, "");
  const whole = rest;
  const parts = { protocol: "", username: "", password: "", hostname: "", port: "", pathname: "", search: "", hash: "", opaque: false, authority: false };
  const hash = rest.indexOf("#");
  if (hash >= 0) { parts.hash = rest.length > hash + 1 ? "#" + escapeFor(rest.slice(hash + 1), SETS.fragment) : ""; rest = rest.slice(0, hash); }
  const query = rest.indexOf("?");
  const hasQuery = query >= 0;
  if (hasQuery) { parts.search = rest.length > query + 1 ? "?" + escapeFor(rest.slice(query + 1), SETS.query) : ""; rest = rest.slice(0, query); }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(rest);
  if (scheme) { parts.protocol = scheme[0].toLowerCase(); rest = rest.slice(scheme[0].length); }
  else if (!base) throw invalid(whole);
  if (scheme && special(parts.protocol) && base?.protocol === parts.protocol && !/^[/\\]/.test(rest)) parts.relative = true;
  if (!scheme) { parts.protocol = base.protocol; parts.relative = true; }
  if (special(parts.protocol)) rest = rest.replace(/\\/g, "/");
  if (parts.relative && base.opaque && !(rest === "" && !hasQuery)) throw invalid(whole);
  if (/^\/\//.test(rest) || (special(parts.protocol) && !parts.relative && parts.protocol !== "file:")) {
    rest = readAuthority(parts, rest.replace(/^\/+/, (s) => (special(parts.protocol) && parts.protocol !== "file:" ? "" : s.slice(2))), whole);
    parts.pathname = rest === "" && !special(parts.protocol) ? "" : cleanPath(rest.replace(/^\//, "").split("/"), parts.protocol);
  } else if (parts.relative) inherit(parts, rest, base, hasQuery);
  else if (rest.startsWith("/") || special(parts.protocol)) {
    parts.authority = parts.protocol === "file:";
    parts.pathname = cleanPath(rest.replace(/^\//, "").split("/"), parts.protocol);
  } else { parts.opaque = true; parts.pathname = escapeFor(rest, SETS.opaque); }
  delete parts.relative;
  return parts;
}

function readAuthority(parts, text, input) {
  const end = text.search(/\//);
  let authority = end < 0 ? text : text.slice(0, end);
  const at = authority.lastIndexOf("@");
  if (at >= 0) {
    const [user, ...secret] = authority.slice(0, at).split(":");
    parts.username = escapeFor(user, SETS.user);
    parts.password = escapeFor(secret.join(":"), SETS.user);
    authority = authority.slice(at + 1);
  }
  const port = /:(\d*)$/.exec(authority);
  if (port) {
    authority = authority.slice(0, port.index);
    if (+port[1] > 65535) throw invalid(input);
    parts.port = port[1] === "" || `${+port[1]}` === PORTS[parts.protocol] ? "" : `${+port[1]}`;
  }
  parts.hostname = parseHost(authority, parts.protocol, input);
  parts.authority = true;
  return end < 0 ? "" : text.slice(end);
}

function inherit(parts, rest, base, hasQuery) {
  for (const key of ["username", "password", "hostname", "port", "authority", "opaque"]) parts[key] = base[key];
  if (rest === "") {
    parts.pathname = base.pathname;
    if (!hasQuery) parts.search = base.search;
  } else if (rest.startsWith("/")) parts.pathname = cleanPath(rest.slice(1).split("/"), parts.protocol);
  else parts.pathname = cleanPath([...base.pathname.split("/").slice(1, -1), ...rest.split("/")], parts.protocol);
}

class URL {
  #parts; #params;
  constructor(input, base) {
    this.#parts = parseUrl(input, base === undefined ? null : parseUrl(base, null));
    this.#params = bindParams(new URLSearchParams(), this.#parts.search.slice(1), (text) => { this.#parts.search = text && "?" + text; });
  }
  static canParse(input, base) { try { new URL(input, base); return true; } catch { return false; } }
  static parse(input, base) { try { return new URL(input, base); } catch { return null; } }
  get href() {
    const { protocol, authority, username, password, pathname, search, hash } = this.#parts;
    const user = username || password ? `${username}${password && ":" + password}@` : "";
    return `${protocol}${authority ? `//${user}${this.host}` : ""}${pathname}${search}${hash}`;
  }
  set href(value) { this.#parts = parseUrl(value, null); bindParams(this.#params, this.#parts.search.slice(1), (text) => { this.#parts.search = text && "?" + text; }); }
  get origin() { return special(this.protocol) && this.protocol !== "file:" ? `${this.protocol}//${this.host}` : "null"; }
  get host() { return this.hostname + (this.port && ":" + this.port); }
  set host(value) { readAuthority(this.#parts, `${value}`.replace(/[/?#@].*$/s, ""), value); }
  get searchParams() { return this.#params; }
  get search() { return this.#parts.search; }
  set search(value) {
    const text = `${value}`.replace(/^\?/, "");
    this.#parts.search = text && "?" + escapeFor(text, SETS.query);
    bindParams(this.#params, text, (changed) => { this.#parts.search = changed && "?" + changed; });
  }
  get hash() { return this.#parts.hash; }
  set hash(value) { const text = `${value}`.replace(/^#/, ""); this.#parts.hash = text && "#" + escapeFor(text, SETS.fragment); }
  get pathname() { return this.#parts.pathname; }
  set pathname(value) { if (!this.#parts.opaque) this.#parts.pathname = cleanPath(`${value}`.replace(/^\//, "").split("/"), this.protocol); }
  get hostname() { return this.#parts.hostname; }
  set hostname(value) { this.#parts.hostname = parseHost(`${value}`, this.protocol, value); }
  get port() { return this.#parts.port; }
  set port(value) {
    const digits = /^\d*/.exec(`${value}`)[0];
    if (+digits <= 65535) this.#parts.port = digits === "" || `${+digits}` === PORTS[this.protocol] ? "" : `${+digits}`;
  }
  get protocol() { return this.#parts.protocol; }
  set protocol(value) {
    const scheme = /^[a-z][a-z0-9+.-]*/i.exec(`${value}`)?.[0].toLowerCase() + ":";
    if (special(scheme) === special(this.protocol)) this.#parts.protocol = scheme;
  }
  get username() { return this.#parts.username; }
  set username(value) { this.#parts.username = escapeFor(`${value}`, SETS.user); }
  get password() { return this.#parts.password; }
  set password(value) { this.#parts.password = escapeFor(`${value}`, SETS.user); }
  toString() { return this.href; }
  toJSON() { return this.href; }
}
define(globalThis, "URL", URL);
define(globalThis, "URLSearchParams", URLSearchParams);
