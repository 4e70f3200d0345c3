/** What stands beside the lines of a graph's grid: all in one unit, and never the same twice. */
import { BYTE_UNITS, byteUnit } from "@/elements/amounts";

export interface Axis {
  /** The top of the graph is never lower, so that noise near zero does not look like a mountain. */
  readonly floor: number;
  /** Between two lines of the grid, smallest first. */
  readonly steps: readonly number[];
  labels(ticks: readonly number[]): string[];
}

const MOST_DECIMALS = 3;

export const PERCENT: Axis = {
  floor: 1,
  steps: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
  labels: (ticks) => exact(ticks, "%"),
};

export const BYTES: Axis = {
  floor: 1024 * 1024,
  steps: powersOfTwo(),
  labels: (ticks) => inBytes(ticks, ""),
};

export const BYTES_A_SECOND: Axis = {
  floor: 1024,
  steps: powersOfTwo(),
  labels: (ticks) => inBytes(ticks, "/s"),
};

/** Where the graph ends at the top: above what it shows. */
export function topOf(axis: Axis, highest: number | null): number {
  return Math.max(axis.floor, (highest ?? 0) * 1.15);
}

function inBytes(ticks: readonly number[], suffix: string): string[] {
  const unit = byteUnit(Math.max(0, ...ticks));
  return exact(
    ticks.map((tick) => tick / 1024 ** unit),
    `${BYTE_UNITS[unit]}${suffix}`,
  );
}

/** With as few decimals as say each exactly. */
function exact(amounts: readonly number[], unit: string): string[] {
  let decimals = 0;
  while (decimals < MOST_DECIMALS && amounts.some((amount) => rounds(amount, decimals))) decimals += 1;
  return amounts.map((amount) => `${amount === 0 ? "0" : amount.toFixed(decimals)} ${unit}`);
}

function rounds(amount: number, decimals: number): boolean {
  return Math.abs(Number(amount.toFixed(decimals)) - amount) > 1e-9;
}

function powersOfTwo(): number[] {
  return Array.from({ length: 44 }, (_, power) => 2 ** power);
}
