// Intl for English and UTC, with the results of ECMA-402 implementations (en-US). Whatever this does not know throws and
// says so: other languages, other time zones and other options would need data that is not here.
const NARROW = "Only English (en-US) and the time zone UTC are known here: return plain values, or format them in your code.";
const unknownIntl = (what) => new RangeError(`${what} is not available. ${NARROW}`);

function checkLocale(locales) {
  const first = isArray(locales) ? locales[0] : locales;
  if (first === undefined || test(/^en(-US)?$/i, `${first}`)) return "en-US";
  throw unknownIntl(`The locale ${first}`);
}

// Every option that is given must be known, with one of these values (a RegExp), or the answer would be another one.
function checkOptions(what, options, known) {
  const given = options ?? {};
  for (const name of Object.keys(given)) {
    const value = given[name];
    if (value !== undefined && !(name in known && test(known[name], `${value}`))) {
      throw unknownIntl(`${what} with ${name}: ${describeText(value)}`);
    }
  }
  return given;
}

// ---- numbers -------------------------------------------------------------------------------------------------------
const CURRENCIES = { USD: "$", EUR: "€", GBP: "£", JPY: "¥", CAD: "CA$", AUD: "A$", INR: "₹", BRL: "R$", MXN: "MX$", CHF: "CHF\u00a0" };
const NUMBER_OPTIONS = {
  style: /^(decimal|percent|currency)$/, currency: /^(USD|EUR|GBP|JPY|CAD|AUD|INR|BRL|MXN|CHF)$/i, currencyDisplay: /^symbol$/,
  minimumFractionDigits: /^(1?\d|20)$/, maximumFractionDigits: /^(1?\d|20)$/, minimumIntegerDigits: /^(1?\d|20)$/,
  useGrouping: /^(true|false|auto)$/, notation: /^standard$/, signDisplay: /^auto$/,
};

class NumberFormat {
  #options;
  constructor(locales, options) {
    checkLocale(locales);
    const given = checkOptions("Intl.NumberFormat", options, NUMBER_OPTIONS);
    const { style = "decimal" } = given;
    if (style === "currency" && !given.currency) throw new TypeError("Currency code is required with currency style.");
    const currency = style === "currency" ? `${given.currency}`.toUpperCase() : undefined;
    const usual = style === "currency" ? (currency === "JPY" ? [0, 0] : [2, 2]) : style === "percent" ? [0, 0] : [0, 3];
    const least = given.minimumFractionDigits ?? min(usual[0], +(given.maximumFractionDigits ?? 20));
    const most = given.maximumFractionDigits ?? max(usual[1], +least);
    if (+least > +most) throw new RangeError("maximumFractionDigits value is out of range.");
    const whole = +(given.minimumIntegerDigits ?? 1);
    const grouping = `${given.useGrouping ?? true}` !== "false";
    this.#options = { style, currency, least: +least, most: +most, whole, grouping };
    this.format = (value) => this.#write(value);
  }
  resolvedOptions() {
    const { style, currency, least, most } = this.#options;
    return { locale: "en-US", numberingSystem: "latn", style, currency, minimumFractionDigits: least, maximumFractionDigits: most };
  }
  #write(value) {
    const { style, currency, least, most, whole, grouping } = this.#options;
    const number = typeof value === "bigint" ? value : style === "percent" ? +value * 100 : +value;
    const minus = number < 0 || Object.is(number, -0) ? "-" : "";
    let [integer, fraction = ""] = this.#digits(number, most);
    while (fraction.length > least && endsWith(fraction, "0")) fraction = slice(fraction, 0, -1);
    integer = integer.padStart(whole, "0");
    if (grouping) integer = replace(integer, /\B(?=(\d{3})+$)/g, ",");
    const sign = style === "currency" ? CURRENCIES[currency] : "";
    return `${minus}${sign}${integer}${fraction && "."}${fraction}${style === "percent" ? "%" : ""}`;
  }
  #digits(number, most) {
    if (typeof number === "bigint") {
      const factor = this.#options.style === "percent" ? 100n : 1n;
      return [bigToString((number < 0n ? -number : number) * factor), "0".repeat(most)];
    }
    if (Number.isNaN(number)) return ["NaN"];
    const positive = Math.abs(number);
    if (positive === Infinity) return ["∞"];
    return positive < 1e21 ? split(positive.toFixed(most), ".") : [bigToString(BigInt(positive)), "0".repeat(most)];
  }
}
const toLocale = function toLocaleString(locales, options) { return new NumberFormat(locales, options).format(this.valueOf()); };
define(Number.prototype, "toLocaleString", toLocale);
define(BigInt.prototype, "toLocaleString", toLocale);

// ---- dates ---------------------------------------------------------------------------------------------------------
const MONTHS = split("January February March April May June July August September October November December", " ");
const DAYS = split("Sunday Monday Tuesday Wednesday Thursday Friday Saturday", " ");
const TWO = /^(numeric|2-digit)$/;
const DATE_OPTIONS = {
  timeZone: /^(UTC|Etc\/UTC|GMT|Etc\/GMT)$/i, year: TWO, month: /^(numeric|2-digit|long|short)$/, day: TWO, weekday: /^(long|short)$/,
  hour: TWO, minute: TWO, second: TWO, hour12: /^(true|false)$/, hourCycle: /^(h12|h23)$/, timeZoneName: /^short$/,
  dateStyle: /^(full|long|medium|short)$/, timeStyle: /^(long|medium|short)$/, fractionalSecondDigits: /^3$/,
};
const DATE_STYLES = {
  full: { weekday: "long", month: "long", day: "numeric", year: "numeric" }, long: { month: "long", day: "numeric", year: "numeric" },
  medium: { month: "short", day: "numeric", year: "numeric" }, short: { month: "numeric", day: "numeric", year: "2-digit" },
};
const TIME_STYLES = {
  long: { hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short" },
  medium: { hour: "numeric", minute: "2-digit", second: "2-digit" }, short: { hour: "numeric", minute: "2-digit" },
};
const DATE_FIELDS = { year: "numeric", month: "numeric", day: "numeric" };
const TIME_FIELDS = { hour: "numeric", minute: "2-digit", second: "2-digit" };
const hasAny = (given, names) => names.some((name) => given[name] !== undefined);
const two = (value, style) => (style === "2-digit" ? `${value}`.slice(-2).padStart(2, "0") : `${value}`);

class DateTimeFormat {
  #options;
  constructor(locales, options, needs = "date", fills = DATE_FIELDS) {
    checkLocale(locales);
    const given = { ...checkOptions("Intl.DateTimeFormat", options, DATE_OPTIONS) };
    if (hasAny(given, ["dateStyle", "timeStyle"])) Object.assign(given, DATE_STYLES[given.dateStyle], TIME_STYLES[given.timeStyle]);
    const wanted = { date: ["weekday", "year", "month", "day"], time: ["hour", "minute", "second", "fractionalSecondDigits"] };
    const names = needs === "any" ? [...wanted.date, ...wanted.time] : wanted[needs];
    const others = needs === "date" && fills === DATE_FIELDS ? wanted.time : [];
    if (!hasAny(given, [...names, ...others])) Object.assign(given, fills);
    this.#options = given;
    this.format = (date) => this.#write(date);
  }
  resolvedOptions() { return { locale: "en-US", calendar: "gregory", numberingSystem: "latn", timeZone: "UTC", ...this.#options }; }
  #write(value) {
    const date = value === undefined ? new VirtualDate() : new RealDate(typeof value === "object" ? value.getTime() : +value);
    if (Number.isNaN(date.getTime())) throw new RangeError("Invalid time value");
    const [day, time] = [this.#day(date), this.#time(date)];
    const { month, dateStyle } = this.#options;
    const at = dateStyle ? dateStyle === "full" || dateStyle === "long" : month === "long";
    return day && time ? `${day}${at ? " at " : ", "}${time}` : day || time;
  }
  #day(date) {
    const { weekday, year, month, day } = this.#options;
    const name = DAYS[date.getUTCDay()];
    const shown = [weekday && (weekday === "short" ? slice(name, 0, 3) : name)];
    const fullYear = date.getUTCFullYear();
    if (fullYear < 1) throw unknownIntl("A year before 1");
    const [yearText, dayText] = [year && two(fullYear, year), day && two(date.getUTCDate(), day)];
    if (month === "long" || month === "short") {
      const text = MONTHS[date.getUTCMonth()];
      const pair = [month === "short" ? slice(text, 0, 3) : text, dayText].filter(Boolean).join(" ");
      shown.push(dayText && yearText ? `${pair}, ${yearText}` : yearText ? `${pair} ${yearText}` : pair);
    } else shown.push([month && two(date.getUTCMonth() + 1, month), dayText, yearText].filter(Boolean).join("/"));
    return shown.filter(Boolean).join(", ");
  }
  #time(date) {
    const { hour, minute, second, hour12, hourCycle, timeZoneName, fractionalSecondDigits } = this.#options;
    const half = hour12 === undefined ? hourCycle !== "h23" : `${hour12}` === "true";
    const hours = date.getUTCHours();
    const parts = [];
    if (hour) parts.push(two(half ? hours % 12 || 12 : hours, half ? hour : "2-digit"));
    if (minute) parts.push(two(date.getUTCMinutes(), hour || second ? "2-digit" : "numeric"));
    if (second) parts.push(two(date.getUTCSeconds(), minute ? "2-digit" : "numeric"));
    let text = parts.join(":");
    if (fractionalSecondDigits && second) text += `.${`${date.getUTCMilliseconds()}`.padStart(3, "0")}`;
    if (hour && half) text += hours < 12 ? " AM" : " PM";
    return timeZoneName ? `${text}${text && " "}UTC` : text;
  }
}

function localDate(name, needs, fills) {
  define(RealDate.prototype, name, {
    [name](locales, options) {
      if (Number.isNaN(this.getTime())) return "Invalid Date";
      return new DateTimeFormat(locales, options, needs, fills).format(this);
    },
  }[name]);
}
localDate("toLocaleString", "any", { ...DATE_FIELDS, ...TIME_FIELDS });
localDate("toLocaleDateString", "date", { ...DATE_FIELDS, __proto__: null });
localDate("toLocaleTimeString", "time", TIME_FIELDS);

// ---- order and case of text ------------------------------------------------------------------------------------------
const COLLATOR_OPTIONS = { numeric: /^(true|false)$/, sensitivity: /^(base|accent|case|variant)$/, usage: /^(sort|search)$/ };
const classOf = (char) => (test(/\p{L}/u, char) ? 3 : test(/\p{N}/u, char) ? 2 : test(/\s/, char) ? 0 : 1);
const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const baseOf = (text) => replace(text.normalize("NFD"), /\p{M}/gu, "").toLowerCase();

function compareBase(left, right, numeric) {
  const pieces = numeric ? /\d+|[^]/gu : /[^]/gu;
  const [a, b] = [baseOf(left).match(pieces) ?? [], baseOf(right).match(pieces) ?? []];
  for (let i = 0; i < min(a.length, b.length); i++) {
    const both = numeric && test(/^\d/, a[i]) && test(/^\d/, b[i]);
    const result = both ? order(BigInt(a[i]), BigInt(b[i])) : order(classOf(a[i]), classOf(b[i])) || order(a[i], b[i]);
    if (result) return result;
  }
  return order(a.length, b.length);
}

function compareText(a, b, { numeric = false, sensitivity = "variant" }) {
  const lower = (text) => text.normalize("NFD").toLowerCase();
  const flipped = (text) => replace(text.normalize("NFD"), /\p{L}/gu, (char) => (char === char.toLowerCase() ? `0${char}` : `1${char}`));
  const accents = sensitivity === "accent" || sensitivity === "variant" ? order(lower(a), lower(b)) : 0;
  const cases = sensitivity === "case" || sensitivity === "variant" ? order(flipped(a), flipped(b)) : 0;
  return compareBase(a, b, `${numeric}` === "true") || accents || cases;
}

class Collator {
  constructor(locales, options) {
    checkLocale(locales);
    const given = checkOptions("Intl.Collator", options, COLLATOR_OPTIONS);
    this.compare = (a, b) => compareText(`${a}`, `${b}`, given);
  }
}
define(String.prototype, "localeCompare", function localeCompare(that, locales, options) { return new Collator(locales, options).compare(this, that); });
for (const [name, real] of [["toLocaleUpperCase", "toUpperCase"], ["toLocaleLowerCase", "toLowerCase"]]) {
  define(String.prototype, name, { [name](locales) { checkLocale(locales); return `${this}`[real](); } }[name]);
}

for (const [name, Class] of [["NumberFormat", NumberFormat], ["DateTimeFormat", DateTimeFormat]]) {
  for (const method of ["formatToParts", "formatRange", "formatRangeToParts"]) {
    define(Class.prototype, method, () => { throw unknownIntl(`${method} of Intl.${name}`); });
  }
}
const callable = (Class) => new Proxy(Class, { apply: (target, self, args) => new target(...args) });
const intl = { NumberFormat: callable(NumberFormat), DateTimeFormat: callable(DateTimeFormat), Collator: callable(Collator) };
for (const name of ["PluralRules", "RelativeTimeFormat", "ListFormat", "DisplayNames", "Segmenter", "Locale", "DurationFormat"]) {
  intl[name] = function () { throw unknownIntl(`Intl.${name}`); };
}
intl.getCanonicalLocales = (locales) => [checkLocale(locales)];
define(globalThis, "Intl", {});
for (const name of Object.keys(intl)) define(globalThis.Intl, name, intl[name]);
