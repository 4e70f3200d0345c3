import { expect, test } from "vitest";
import { BYTES, BYTES_A_SECOND, PERCENT, topOf } from "./axis";

test("labels are never the same twice, in one unit, with no more decimals than that takes", () => {
  expect(PERCENT.labels([0, 0.25, 0.5, 0.75, 1])).toEqual(["0 %", "0.25 %", "0.50 %", "0.75 %", "1.00 %"]);
  expect(PERCENT.labels([0, 50, 100])).toEqual(["0 %", "50 %", "100 %"]);
  expect(BYTES.labels([0, 512 * 1024, 1024 * 1024])).toEqual(["0 MB", "0.5 MB", "1.0 MB"]);
  expect(BYTES_A_SECOND.labels([0, 256, 512])).toEqual(["0 B/s", "256 B/s", "512 B/s"]);
});

test("an idle app has a flat line at the bottom, not a mountain", () => {
  expect(topOf(PERCENT, 0.003)).toBe(1);
  expect(topOf(PERCENT, null)).toBe(1);
  expect(topOf(PERCENT, 200)).toBeCloseTo(230);
});
