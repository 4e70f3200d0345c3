/** The newest lines of a log, in order, each once; bounded, so that a tab may stay open for weeks. */
import { plainText } from "./ansi";

export const MOST_LINES = 100_000;

export interface LogLine {
  /** Null: not a line of the log but a word about it, such as a gap. */
  readonly id: string | null;
  readonly container: string;
  readonly timestamp: string;
  readonly stream: string;
  readonly message: string;
}

interface Found {
  readonly wanted: string;
  readonly indexes: readonly number[];
  /** How many lines were looked at. */
  readonly upTo: number;
}

const NOTHING_FOUND: Found = { wanted: "", indexes: [], upTo: 0 };

export class LogLines {
  private lines: LogLine[] = [];
  private found = NOTHING_FOUND;
  private lastId: string | null = null;
  /** Every service that has written, in the order of the first line. */
  readonly containers = new Set<string>();
  /** How many lines were let go of to stay within the bound. */
  dropped = 0;

  constructor(private readonly most: number = MOST_LINES) {}

  get count(): number {
    return this.lines.length;
  }

  at(index: number): LogLine | undefined {
    return this.lines[index];
  }

  append(fresh: readonly LogLine[]): void {
    for (const line of fresh) {
      // After a reconnect the server begins behind the last id; should one overlap all the same, it is shown once.
      if (line.id !== null && line.id === this.lastId) continue;
      if (line.id !== null) this.lastId = line.id;
      if (line.container !== "") this.containers.add(line.container);
      this.lines.push(line);
    }
    // Let go in bigger steps: cutting the front of an array costs as much as it is long.
    if (this.lines.length > this.most * 1.1) {
      const excess = this.lines.length - this.most;
      this.lines = this.lines.slice(excess);
      this.found = NOTHING_FOUND;
      this.dropped += excess;
    }
  }

  /** Those of one service, and the words about gaps, which may be any service's. */
  of(container: string): LogLines {
    const chosen = new LogLines(this.most);
    chosen.containers.add(container);
    chosen.lines = this.lines.filter((line) => line.container === container || line.id === null);
    return chosen;
  }

  /** Indexes of the lines that contain `text`, whatever its case. Asked again, it looks at the lines alone that have come since. */
  find(text: string): readonly number[] {
    const wanted = text.toLowerCase();
    if (wanted === "") return [];
    if (wanted !== this.found.wanted) this.found = { ...NOTHING_FOUND, wanted };
    const { indexes, upTo } = this.found;
    const fresh = this.lines.slice(upTo).flatMap((line, index) => {
      return plainText(line.message).toLowerCase().includes(wanted) ? [upTo + index] : [];
    });
    this.found = { wanted, indexes: [...indexes, ...fresh], upTo: this.lines.length };
    return this.found.indexes;
  }

  asText(): string {
    return this.lines
      .map((line) => `${line.timestamp} ${line.container} ${line.stream} ${plainText(line.message)}\n`)
      .join("");
  }
}
