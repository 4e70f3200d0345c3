import { expect, test } from "vitest";
import { counted, seconds } from "./amounts";
import { ago } from "./dates";

test("no minute has sixty seconds, no hour sixty minutes", () => {
  expect([0.25, 59.94, 59.97, 119.7].map(seconds)).toEqual(["250 ms", "59.9 s", "1 min 0 s", "2 min 0 s"]);
  const now = new Date("2026-01-01T12:00:00Z");
  expect(ago(new Date(now.getTime() - 59.7 * 60_000), now)).toBe("1 hour ago");
});

test("one is one", () => {
  expect([0, 1, 1200].map((amount) => counted(amount, "line"))).toEqual(["0 lines", "1 line", "1,200 lines"]);
});
