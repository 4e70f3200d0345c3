/** A live stream of the API: comes back by itself with the id of the last event seen, and rests while nobody looks. */
import { Problem, problemOf } from "@/problems/problem";
import { isSessionOver } from "@/session/request";
import { currentSession, endSession } from "@/session/session";
import { backoff } from "./backoff";
import { EventParser, type StreamEvent } from "./event_parser";

export type StreamState =
  | { readonly kind: "idle" | "connecting" | "live" | "paused" | "ended" }
  | { readonly kind: "waiting"; readonly problem: Problem | null }
  | { readonly kind: "refused"; readonly problem: Problem };

export interface Follower {
  /** All events that arrived together. */
  onEvents(events: readonly StreamEvent[]): void;
  onState(state: StreamState): void;
}

/** The server sends a comment every 15 s; a connection that is silent for longer is dead. */
const SILENCE_MS = 40_000;

/** Begins to follow; returns how to stop. */
export function follow(path: string, follower: Follower): () => void {
  const stream = new Stream(path, follower);
  stream.begin();
  return () => stream.stop();
}

class Stream {
  private lastId: string | null = null;
  private attempt = 0;
  private retry: number | null = null;
  private open: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private over = false;
  private readonly look = () => (document.hidden ? this.pause() : this.resume());

  constructor(
    private readonly path: string,
    private readonly follower: Follower,
  ) {}

  begin(): void {
    document.addEventListener("visibilitychange", this.look);
    window.addEventListener("online", this.look);
    this.look();
  }

  stop(): void {
    this.over = true;
    document.removeEventListener("visibilitychange", this.look);
    window.removeEventListener("online", this.look);
    clearTimeout(this.timer);
    this.open?.abort();
  }

  private pause(): void {
    clearTimeout(this.timer);
    this.open?.abort();
    this.open = null;
    this.follower.onState({ kind: "paused" });
  }

  private resume(): void {
    if (this.over || this.open !== null) return;
    clearTimeout(this.timer);
    void this.run();
  }

  private async run(): Promise<void> {
    const mine = new AbortController();
    this.open = mine;
    this.follower.onState({ kind: "connecting" });
    let problem: Problem | null = null;
    try {
      if (await this.read(mine)) return this.finish({ kind: "ended" });
    } catch (error) {
      problem = error instanceof Problem ? error : null;
    }
    if (this.over || this.open !== mine) return;
    this.open = null;
    if (problem !== null && isFinal(problem)) return this.finish({ kind: "refused", problem });
    this.comeBack(problem);
  }

  private comeBack(problem: Problem | null): void {
    this.follower.onState({ kind: "waiting", problem });
    const wait = Math.max(
      backoff(this.attempt),
      this.attempt === 0 ? 0 : (this.retry ?? 0),
      (problem?.retryAfter ?? 0) * 1000,
    );
    this.attempt += 1;
    this.timer = setTimeout(() => this.resume(), wait);
  }

  private finish(state: StreamState): void {
    this.follower.onState(state);
    this.stop();
  }

  /** Until the connection ends; true when the stream itself has. */
  private async read(mine: AbortController): Promise<boolean> {
    const response = await this.connect(mine);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) return false;
    this.follower.onState({ kind: "live" });
    const parser = new EventParser();
    for (;;) {
      const silence = setTimeout(() => mine.abort(), SILENCE_MS);
      const { value, done } = await reader.read().finally(() => clearTimeout(silence));
      if (done || this.open !== mine) return false;
      this.attempt = 0;
      if (this.pass(parser.feed(value))) return true;
      this.retry = parser.retry ?? this.retry;
    }
  }

  private pass(events: StreamEvent[]): boolean {
    this.lastId = events.findLast((event) => event.id !== null)?.id ?? this.lastId;
    if (events.length > 0) this.follower.onEvents(events);
    return events.some((event) => event.name === "end");
  }

  private async connect(mine: AbortController): Promise<Response> {
    const token = currentSession()?.token;
    const headers: Record<string, string> = {
      Accept: "text/event-stream",
      Authorization: `Bearer ${token ?? ""}`,
    };
    if (this.lastId !== null) headers["Last-Event-ID"] = this.lastId;
    const deadline = setTimeout(() => mine.abort(), SILENCE_MS);
    const response = await fetch(this.path, { headers, signal: mine.signal, cache: "no-store" }).finally(() =>
      clearTimeout(deadline),
    );
    if (response.ok) return response;
    const problem = await problemOf(response);
    // A renewed session, also of another tab, is simply used at the next try. A renewal ends the streams of the old session, perhaps
    // before this tab has the new one: that it is over is believed at the second time.
    if (isSessionOver(problem) && currentSession()?.token === token && this.attempt > 1) endSession();
    throw problem;
  }
}

/** What another try will not change. A deployment that is on no machine (409) may be on one later. */
function isFinal(problem: Problem): boolean {
  return [400, 403, 404, 405, 422].includes(problem.status);
}
