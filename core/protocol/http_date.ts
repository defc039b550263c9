/** Dates of HTTP, which have whole seconds (RFC 9110, section 5.6.7). */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTH = `(?<month>${MONTHS.join("|")})`;
const TIME = "(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)";
const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day";
/** The form that is sent, and two that old clients send. */
const FORMS = [
  `^${DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`,
  `^${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`,
  `^${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`,
].map((form) => new RegExp(form));

/** Seconds since 1970. @param nowMs decides the century of a year with two digits. */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  const groups = FORMS.map((form) => form.exec(text)?.groups).find(Boolean);
  if (!groups) return undefined;
  const number = (key: string) => Number(groups[key]);
  const [hour, minute, second, day] = ["hour", "minute", "second", "day"].map(number);
  const month = MONTHS.indexOf(groups["month"]!);
  if (hour! > 23 || minute! > 59 || second! > 60) return undefined;
  const year = fullYear(groups["year"]!, nowMs);
  const at = Date.UTC(year, month, day, hour, minute, second);
  // Years below 100 mean others to `Date.UTC`; a day outside its month moves to another one.
  const date = new Date(at - (second === 60 ? 1000 : 0));
  return year >= 100 && date.getUTCMonth() === month && date.getUTCDate() === day
    ? at / 1000
    : undefined;
}

/** A year that seems more than 50 years ahead is one of the past. */
function fullYear(digits: string, nowMs: number): number {
  if (digits.length === 4) return Number(digits);
  const now = new Date(nowMs).getUTCFullYear();
  const year = now - now % 100 + Number(digits);
  return year > now + 50 ? year - 100 : year;
}

export function formatHttpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString();
}
