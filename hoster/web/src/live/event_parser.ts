/** Server-Sent Events out of text that arrives in pieces (WHATWG HTML, section 9.2.6). */

export interface StreamEvent {
  readonly id: string | null;
  readonly name: string;
  readonly data: string;
}

export class EventParser {
  /** Milliseconds, when the server has said how long to wait before coming back. */
  retry: number | null = null;
  private rest = "";
  private id: string | null = null;
  private name = "";
  private data: string[] = [];

  /** The events that `text` completes. */
  feed(text: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.take(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (event !== null) events.push(event);
    }
    return events;
  }

  private take(line: string): StreamEvent | null {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  private dispatch(): StreamEvent | null {
    const event = { id: this.id, name: this.name || "message", data: this.data.join("\n") };
    const empty = this.data.length === 0;
    this.name = "";
    this.data = [];
    return empty ? null : event;
  }
}
