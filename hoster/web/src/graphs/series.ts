/** The numbers of the last two hours, a reading every two seconds, in the columns that a graph draws. */

export interface ContainerReading {
  readonly cpu_percent: number;
  readonly memory_usage_bytes: number;
  readonly memory_limit_bytes: number;
  readonly network_rx_bytes: number;
  readonly network_tx_bytes: number;
  readonly block_read_bytes: number;
  readonly block_write_bytes: number;
}

export interface Reading {
  readonly containers: readonly ContainerReading[];
  readonly collected_at: string;
}

/** Of all containers together. Percent of one core, bytes, and bytes a second; null where there is none. */
export interface Numbers {
  readonly cpu: number | null;
  readonly memory: number | null;
  readonly memoryLimit: number | null;
  readonly received: number | null;
  readonly sent: number | null;
  readonly read: number | null;
  readonly written: number | null;
}

type Column = (number | null)[];

const MOST = 3600;
/** A reading that comes later than this after the one before leaves a hole in the line. Seconds. */
const HOLE_AFTER_S = 15;

const NOTHING: Numbers = {
  cpu: null,
  memory: null,
  memoryLimit: null,
  received: null,
  sent: null,
  read: null,
  written: null,
};
const MEASURES = Object.keys(NOTHING) as (keyof Numbers)[];

interface Counters {
  readonly received: number;
  readonly sent: number;
  readonly read: number;
  readonly written: number;
}

interface Before {
  readonly at: number;
  readonly counters: Counters;
}

type Columns = Readonly<Record<keyof Numbers, Column>>;

/** All of a series as plain values, small enough to be stored. */
export interface SeriesState {
  readonly times: readonly number[];
  readonly columns: Readonly<Record<keyof Numbers, readonly (number | null)[]>>;
  readonly before: Before | null;
}

export class Series {
  readonly times: number[] = [];
  readonly columns = Object.fromEntries(MEASURES.map((name) => [name, []])) as unknown as Columns;
  /** Null while nothing runs. */
  newest: Numbers | null = null;
  private before: Before | null = null;
  private latest = Number.NEGATIVE_INFINITY;

  /** With what was seen before, as if there had been no break. */
  static from({ times, columns, before }: SeriesState): Series {
    const series = new Series();
    series.times.push(...times);
    for (const name of MEASURES) series.columns[name].push(...columns[name]);
    series.before = before;
    series.latest = times.at(-1) ?? series.latest;
    const last = Object.fromEntries(MEASURES.map((name) => [name, columns[name].at(-1) ?? null]));
    if (last.cpu !== null) series.newest = last as unknown as Numbers;
    return series;
  }

  state(): SeriesState {
    const columns = MEASURES.map((name) => [name, this.columns[name].map(rounded)]);
    return { times: this.times, columns: Object.fromEntries(columns), before: this.before };
  }

  add(reading: Reading): void {
    const at = Date.parse(reading.collected_at) / 1000;
    // Seen before: a reconnect repeats what is still kept.
    if (at <= this.latest) return;
    if (this.times.length > 0 && at - this.latest > HOLE_AFTER_S) this.push(this.latest + 1, NOTHING);
    this.latest = at;
    if (reading.containers.length === 0) this.nothingRuns(at);
    else this.somethingRuns(at, reading.containers);
  }

  private somethingRuns(at: number, containers: readonly ContainerReading[]): void {
    const sum = (of: (container: ContainerReading) => number) =>
      containers.reduce((total, container) => total + of(container), 0);
    const counters: Counters = {
      received: sum((one) => one.network_rx_bytes),
      sent: sum((one) => one.network_tx_bytes),
      read: sum((one) => one.block_read_bytes),
      written: sum((one) => one.block_write_bytes),
    };
    const rate = (name: keyof Counters) => rateSince(this.before, name, counters[name], at);
    this.newest = {
      cpu: sum((one) => one.cpu_percent),
      memory: sum((one) => one.memory_usage_bytes),
      memoryLimit: sum((one) => one.memory_limit_bytes),
      received: rate("received"),
      sent: rate("sent"),
      read: rate("read"),
      written: rate("written"),
    };
    this.push(at, this.newest);
    this.before = { at, counters };
  }

  /** A hole: an app that is stopped has no numbers, which is not the same as zero. */
  private nothingRuns(at: number): void {
    if (this.newest !== null) this.push(at, NOTHING);
    this.newest = null;
    this.before = null;
  }

  private push(at: number, numbers: Numbers): void {
    this.times.push(at);
    for (const name of MEASURES) this.columns[name].push(numbers[name]);
    if (this.times.length <= MOST) return;
    this.times.shift();
    for (const name of MEASURES) this.columns[name].shift();
  }
}

/** More than a graph can show is not worth storing. */
function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 100) / 100;
}

/** Counters begin anew with their container: then there is no rate. */
function rateSince(before: Before | null, name: keyof Counters, is: number, at: number): number | null {
  if (before === null || is < before.counters[name]) return null;
  return (is - before.counters[name]) / (at - before.at);
}
