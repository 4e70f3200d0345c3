import { expect, test } from "vitest";
import { Series } from "./series";

function reading(second: number, rx: number) {
  const container = {
    cpu_percent: 5,
    memory_usage_bytes: 10,
    memory_limit_bytes: 100,
    network_rx_bytes: rx,
    network_tx_bytes: 0,
    block_read_bytes: 0,
    block_write_bytes: 0,
  };
  return { containers: [container, container], collected_at: new Date(second * 1000).toISOString() };
}

test("counters become rates, and a container that began anew has none", () => {
  const series = new Series();
  for (const [second, rx] of [
    [0, 100],
    [2, 300],
    [4, 50],
  ] as const)
    series.add(reading(second, rx));
  expect(series.columns.received).toEqual([null, 200, null]);
  expect(series.columns.cpu).toEqual([10, 10, 10]);
});

test("while nothing runs there are no numbers, which is not the same as zero", () => {
  const series = new Series();
  series.add(reading(0, 0));
  for (const second of [2, 4]) series.add({ ...reading(second, 0), containers: [] });
  expect(series.newest).toBeNull();
  series.add(reading(6, 0));
  expect(series.columns.cpu).toEqual([10, null, 10]);
});

test("a series that was stored goes on where it was, with its rates", () => {
  const before = new Series();
  for (const second of [0, 2]) before.add(reading(second, second * 100));
  const after = Series.from(JSON.parse(JSON.stringify(before.state())));
  expect(after.newest).toEqual(before.newest);
  for (const second of [2, 4]) after.add(reading(second, second * 100));
  expect(after.times).toEqual([0, 2, 4]);
  expect(after.columns.received).toEqual([null, 200, 200]);
  after.add({ ...reading(6, 0), containers: [] });
  expect(after.columns.cpu).toEqual([10, 10, 10, null]);
});

test("an app that was stopped during a reload leaves a hole too", () => {
  const before = new Series();
  before.add(reading(0, 0));
  const after = Series.from(before.state());
  after.add({ ...reading(2, 0), containers: [] });
  after.add(reading(4, 0));
  expect(after.columns.cpu).toEqual([10, null, 10]);
});

test("what a reconnect repeats is counted once, and a long silence leaves a hole", () => {
  const series = new Series();
  for (const second of [0, 2, 2, 0, 100]) series.add(reading(second, 0));
  expect(series.times).toEqual([0, 2, 3, 100]);
  expect(series.columns.cpu).toEqual([10, 10, null, 10]);
});
