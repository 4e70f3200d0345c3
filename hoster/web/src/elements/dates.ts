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
    if (Math.abs(amount) < size) return words.format(Math.round(amount), unit);
    amount /= size;
  }
  return moment.toISOString();
}
