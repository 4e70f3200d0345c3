import { Changes } from "@/live/changes";
import type { StreamEvent } from "@/live/event_parser";
import { logLinesOf } from "./log_events";
import { type LogLine, LogLines } from "./log_lines";

/** A live log: its lines, and those that wait while the reader has paused it. */
export class Log {
  readonly lines = new LogLines();
  readonly changes = new Changes();
  paused = false;
  private waiting: LogLine[] = [];

  /** Lines that arrived while paused. */
  get held(): number {
    return this.waiting.length;
  }

  take(events: readonly StreamEvent[]): void {
    const fresh = logLinesOf(events);
    if (fresh.length === 0) return;
    if (this.paused) this.waiting.push(...fresh);
    else this.lines.append(fresh);
    this.changes.announce();
  }

  pause(wanted: boolean): void {
    if (!wanted) {
      this.lines.append(this.waiting);
      this.waiting = [];
    }
    this.paused = wanted;
    this.changes.announce();
  }
}
