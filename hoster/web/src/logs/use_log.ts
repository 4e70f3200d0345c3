import { useCallback, useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { StreamState } from "@/live/follow";
import { useStream } from "@/live/use_stream";
import { logLinesOf } from "./log_events";
import { type LogLine, LogLines } from "./log_lines";

export interface Log {
  readonly lines: LogLines;
  readonly version: number;
  readonly state: StreamState;
  readonly paused: boolean;
  /** Lines that arrived while paused. */
  readonly held: number;
  pause(paused: boolean): void;
  clear(): void;
}

/** The log behind a stream's path. Lines are drawn once per frame, however many arrive in it. */
export function useLog(path: string): Log {
  const [lines, setLines] = useState(() => new LogLines());
  const [version, draw] = useReducer((count: number) => count + 1, 0);
  const [paused, setPaused] = useState(false);
  const held = useRef<LogLine[]>([]);
  const frame = useRef(0);

  const redraw = useCallback(() => {
    if (frame.current !== 0) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      draw(undefined);
    });
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another path is another log
  useEffect(() => {
    setLines(new LogLines());
    held.current = [];
    return () => {
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [path]);

  const state = useStream(path, (events) => {
    const fresh = logLinesOf(events);
    if (paused) held.current.push(...fresh);
    else lines.append(fresh);
    redraw();
  });

  const pause = (wanted: boolean) => {
    if (!wanted) {
      lines.append(held.current);
      held.current = [];
    }
    setPaused(wanted);
  };
  const clear = () => {
    lines.clear();
    redraw();
  };
  return { lines, version, state, paused, held: held.current.length, pause, clear };
}
