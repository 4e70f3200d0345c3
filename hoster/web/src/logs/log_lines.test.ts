import { expect, test } from "vitest";
import { type LogLine, LogLines } from "./log_lines";
import { rowWindow } from "./window";

function line(number: number): LogLine {
  return { id: `c-${number}`, container: "web", timestamp: "", stream: "stdout", message: `line ${number}` };
}

test("the newest lines are kept, and how many were let go of is known", () => {
  const lines = new LogLines(100);
  for (let from = 0; from < 1000; from += 10)
    lines.append(Array.from({ length: 10 }, (_, index) => line(from + index)));
  expect(lines.count + lines.dropped).toBe(1000);
  expect(lines.count).toBeLessThanOrEqual(110);
  expect(lines.at(lines.count - 1)?.message).toBe("line 999");
  expect(lines.at(0)?.message).toBe(`line ${lines.dropped}`);
});

test("a line that a reconnect repeats is shown once", () => {
  const lines = new LogLines();
  lines.append([line(1), line(2)]);
  lines.append([line(2), line(3)]);
  expect(lines.count).toBe(3);
});

test("the lines of one service can be looked at alone, and gaps stay visible", () => {
  const lines = new LogLines();
  const gap = { ...line(3), id: null, container: "" };
  lines.append([line(1), { ...line(2), container: "db" }, gap]);
  expect([...lines.containers]).toEqual(["web", "db"]);
  const chosen = lines.of("db");
  expect([chosen.at(0)?.message, chosen.at(1)?.message, chosen.count]).toEqual(["line 2", "line 3", 2]);
});

test("searching sees through colours and case", () => {
  const lines = new LogLines();
  lines.append([{ ...line(1), message: "\x1b[31mER\x1b[0mROR" }, line(2)]);
  expect(lines.find("error")).toEqual([0]);
});

test("a search goes on through what comes, and begins anew when lines are let go of", () => {
  const lines = new LogLines(10);
  const found = () => lines.find("line 1").map((index) => lines.at(index)?.message);
  lines.append([line(0), line(1)]);
  expect(found()).toEqual(["line 1"]);
  lines.append([line(2), line(10)]);
  expect(found()).toEqual(["line 1", "line 10"]);
  lines.append(Array.from({ length: 8 }, (_, index) => line(11 + index)));
  expect(lines.dropped).toBeGreaterThan(0);
  expect(found()).toEqual(Array.from({ length: 9 }, (_, index) => `line ${10 + index}`));
});

test("only rows in view are drawn, wherever the view is", () => {
  expect(rowWindow(0, 400, 20, 100_000)).toEqual({ first: 0, end: 40 });
  const middle = rowWindow(1_000_000, 400, 20, 100_000);
  expect(middle.first).toBeLessThanOrEqual(50_000);
  expect(middle.end - middle.first).toBeLessThan(100);
  expect(rowWindow(9_999_999, 400, 20, 5)).toEqual({ first: 0, end: 5 });
});
