import { expect, test } from "vitest";
import { backoff } from "./backoff";
import { EventParser } from "./event_parser";

const STREAM =
  'retry: 2000\n\n: keep-alive\n\nid: 7\nevent: log\ndata: {"a":1}\n\nid: 8\nevent: log\ndata: x\ndata: y\n\n';

test("events come out the same however the bytes are cut", () => {
  for (let size = 1; size < STREAM.length; size += 1) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.feed(STREAM.slice(at, at + size)));
    expect(events).toEqual([
      { id: "7", name: "log", data: '{"a":1}' },
      { id: "8", name: "log", data: "x\ny" },
    ]);
    expect(parser.retry).toBe(2000);
  }
});

test("an event whose end never came is not an event", () => {
  expect(new EventParser().feed("data: half\n")).toEqual([]);
});

test("waits grow, are spread, and stay below twenty seconds", () => {
  expect(backoff(0, 0)).toBeLessThan(backoff(3, 0));
  expect(backoff(0, 0)).not.toBe(backoff(0, 1));
  expect(backoff(50, 1)).toBeLessThan(20_000);
});
