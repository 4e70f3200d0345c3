import { Changes } from "@/live/changes";
import type { StreamEvent } from "@/live/event_parser";
import { logLinesOf } from "./log_events";
import { type LogLine, LogLines, MOST_LINES } from "./log_lines";

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
    if (this.paused) this.hold(fresh);
    else this.lines.append(fresh);
    this.changes.announce();
  }

  /** Bounded as the shown ones are: a reader may have gone home. */
  private hold(fresh: readonly LogLine[]): void {
    for (const line of fresh) this.waiting.push(line);
    if (this.waiting.length > MOST_LINES * 1.1) this.waiting = this.waiting.slice(-MOST_LINES);
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
