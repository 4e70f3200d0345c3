/** Times as people read them, in their own time zone. */

export function dateAndTime(moment: Date): string {
  return moment.toLocaleString("en", { dateStyle: "long", timeStyle: "short" });
}

const STEPS: readonly (readonly [number, Intl.RelativeTimeFormatUnit])[] = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [30, "day"],
  [12, "month"],
  [Number.POSITIVE_INFINITY, "year"],
];

const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(moment: Date, now: Date): string {
  let amount = (moment.getTime() - now.getTime()) / 1000;
  if (Math.abs(amount) < 5) return "just now";
  for (const [size, unit] of STEPS) {
    if (Math.round(Math.abs(amount)) < size) return words.format(Math.round(amount), unit);
    amount /= size;
  }
  return moment.toISOString();
}

/** Hours, minutes, seconds and milliseconds; what is no time is left out. */
export function timeOfDay(at: string): string {
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return "";
  const milliseconds = String(moment.getMilliseconds()).padStart(3, "0");
  return `${clock.format(moment)}.${milliseconds}`;
}

/** As in “Nov 22”. */
export function day(at: string): string {
  const moment = new Date(at);
  return Number.isNaN(moment.getTime()) ? "" : days.format(moment);
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const days = new Intl.DateTimeFormat("en", { month: "short", day: "2-digit" });
