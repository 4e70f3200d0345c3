/** Numbers as people read them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

export function bytes(amount: number): string {
  let left = Math.max(0, amount);
  let unit = 0;
  while (left >= 1024 && unit < UNITS.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${left >= 100 || unit === 0 ? Math.round(left) : left.toFixed(1)} ${UNITS[unit]}`;
}

export function megabytes(amount: number): string {
  return bytes(amount * 1024 * 1024);
}

export function seconds(amount: number): string {
  if (amount < 1) return `${Math.round(amount * 1000)} ms`;
  if (amount < 60) return `${amount.toFixed(1)} s`;
  return `${Math.floor(amount / 60)} min ${Math.round(amount % 60)} s`;
}

export function money(cents: number): string {
  return cents === 0 ? "Free" : `${(cents / 100).toFixed(2)} a month`;
}
