import { type HeaderMap, headerValue } from "../message.ts";

const SECONDS = /^\d{1,9}$/;
/** The three forms of an HTTP-date (RFC 9110 5.6.7). Not Date.parse: it takes `1 GMT` and `00000:00`, and 2049 for the last year of two digits. */
const DATES: readonly RegExp[] = [
  /^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/,
];
const MONTHS: readonly string[] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Milliseconds an answer asks to wait (RFC 9110 10.2.3: delay-seconds or HTTP-date); a date that has passed is 0; null: it does not ask. */
export function retryAfterMs(headers: HeaderMap, wallTime: number): number | null {
  const value = headerValue(headers, "retry-after")?.trim();
  if (value === undefined || value.length > 64) return null;
  if (SECONDS.test(value)) return Number(value) * 1_000;
  const at = dateMs(value, wallTime);
  return at === null ? null : Math.max(0, at - wallTime);
}

function dateMs(value: string, wallTime: number): number | null {
  const parts = DATES.map((form) => form.exec(value)?.groups).find((groups) => groups !== undefined);
  if (!parts) return null;
  const { day, month = "", year = "", time = "" } = parts;
  const monthIndex = MONTHS.indexOf(month);
  const [hour = 0, minute = 0, second = 0] = time.split(":").map(Number);
  // 60 is a leap second.
  if (monthIndex < 0 || hour > 23 || minute > 59 || second > 60) return null;
  return Date.UTC(year.length === 2 ? fullYear(Number(year), wallTime) : Number(year), monthIndex, Number(day), hour, minute, second);
}

/** What would be more than 50 years ahead is the latest such year in the past (RFC 9110 5.6.7). */
function fullYear(lastDigits: number, wallTime: number): number {
  const thisYear = new Date(wallTime).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + lastDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
