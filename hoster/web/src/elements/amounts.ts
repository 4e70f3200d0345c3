/** Numbers as people read them. */

const UNKNOWN = "–";

export const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** One KB is 1024 B, as in the limits of plans and containers. */
export function bytes(amount: number | null): string {
  if (amount === null) return UNKNOWN;
  const unit = byteUnit(amount);
  const left = Math.max(0, amount) / 1024 ** unit;
  return `${plain(left, unit === 0 || left >= 100 ? 0 : 1)} ${BYTE_UNITS[unit]}`;
}

/** The index of the unit in which an amount has the fewest digits. */
export function byteUnit(amount: number): number {
  let unit = 0;
  for (let left = amount; left >= 1024 && unit < BYTE_UNITS.length - 1; left /= 1024) unit += 1;
  return unit;
}

export function megabytes(amount: number): string {
  return bytes(amount * 1024 * 1024);
}

export function bytesASecond(amount: number | null): string {
  return amount === null ? UNKNOWN : `${bytes(amount)}/s`;
}

export function percent(amount: number | null): string {
  if (amount === null) return UNKNOWN;
  return `${plain(amount, amount < 1 ? 2 : amount < 10 ? 1 : 0)} %`;
}

export function seconds(amount: number): string {
  if (amount < 1) return `${Math.round(amount * 1000)} ms`;
  if (amount < 59.95) return `${amount.toFixed(1)} s`;
  const whole = Math.round(amount);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `noun` as it is for `amount`, with it. */
export function counted(amount: number, noun: string): string {
  return `${amount.toLocaleString("en")} ${noun}${amount === 1 ? "" : "s"}`;
}

export function money(cents: number): string {
  return cents === 0 ? "Free" : `${(cents / 100).toFixed(2)} a month`;
}

/** Without zeros at the end. */
function plain(amount: number, decimals: number): string {
  return String(Number(amount.toFixed(decimals)));
}
