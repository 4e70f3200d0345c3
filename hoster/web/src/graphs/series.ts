/** The numbers of the last two hours, a reading every two seconds, in the columns that a graph draws. */

export interface ContainerReading {
  readonly cpu_percent: number;
  readonly memory_usage_bytes: number;
  readonly memory_limit_bytes: number;
  readonly network_rx_bytes: number;
  readonly network_tx_bytes: number;
}

export interface Reading {
  readonly containers: readonly ContainerReading[];
  readonly collected_at: string;
}

export interface Newest {
  readonly cpu: number;
  readonly memory: number;
  readonly memoryLimit: number;
  readonly received: number;
  readonly sent: number;
}

const MOST = 3600;
/** A reading that comes later than this after the one before leaves a hole in the line. Seconds. */
const HOLE_AFTER_S = 15;

interface Before {
  readonly at: number;
  readonly rx: number;
  readonly tx: number;
}

export class Series {
  readonly times: number[] = [];
  readonly cpu: (number | null)[] = [];
  readonly memory: (number | null)[] = [];
  /** Bytes a second. */
  readonly received: (number | null)[] = [];
  readonly sent: (number | null)[] = [];
  newest: Newest | null = null;
  private before: Before | null = null;
  private latest = Number.NEGATIVE_INFINITY;

  add(reading: Reading): void {
    const at = Date.parse(reading.collected_at) / 1000;
    // Seen before: a reconnect repeats what is still kept.
    if (at <= this.latest) return;
    this.latest = at;
    if (reading.containers.length === 0) this.nothingRuns(at);
    else this.somethingRuns(at, reading.containers);
  }

  private somethingRuns(at: number, containers: readonly ContainerReading[]): void {
    const sum = (of: (container: ContainerReading) => number) =>
      containers.reduce((total, container) => total + of(container), 0);
    const now: Before = {
      at,
      rx: sum((one) => one.network_rx_bytes),
      tx: sum((one) => one.network_tx_bytes),
    };
    const received = rate(this.before?.rx, now.rx, this.before?.at, at);
    const sent = rate(this.before?.tx, now.tx, this.before?.at, at);
    const cpu = sum((one) => one.cpu_percent);
    const memory = sum((one) => one.memory_usage_bytes);
    if (this.before !== null && at - this.before.at > HOLE_AFTER_S)
      this.push(this.before.at + 1, null, null, null, null);
    this.push(at, cpu, memory, received, sent);
    this.newest = {
      cpu,
      memory,
      memoryLimit: sum((one) => one.memory_limit_bytes),
      received: received ?? 0,
      sent: sent ?? 0,
    };
    this.before = now;
  }

  /** A hole: an app that is stopped has no numbers, which is not the same as zero. */
  private nothingRuns(at: number): void {
    if (this.newest !== null) this.push(at, null, null, null, null);
    this.newest = null;
    this.before = null;
  }

  private push(
    at: number,
    cpu: number | null,
    memory: number | null,
    received: number | null,
    sent: number | null,
  ): void {
    this.times.push(at);
    this.cpu.push(cpu);
    this.memory.push(memory);
    this.received.push(received);
    this.sent.push(sent);
    if (this.times.length <= MOST) return;
    for (const column of [this.times, this.cpu, this.memory, this.received, this.sent]) column.shift();
  }
}

/** Counters begin anew with their container: then there is no rate. */
function rate(was: number | undefined, is: number, from: number | undefined, to: number): number | null {
  if (was === undefined || from === undefined || is < was || to <= from) return null;
  return (is - was) / (to - from);
}
