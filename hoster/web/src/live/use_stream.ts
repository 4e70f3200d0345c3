import { useEffect, useRef, useState } from "preact/hooks";
import type { StreamEvent } from "./event_parser";
import { follow, type StreamState } from "./follow";

const IDLE: StreamState = { kind: "idle" };
const CONNECTING: StreamState = { kind: "connecting" };

/** Follows `path` while the component is there; null follows nothing. */
export function useStream(
  path: string | null,
  onEvents: (events: readonly StreamEvent[]) => void,
  onState: (state: StreamState) => void,
): StreamState {
  const [state, setState] = useState<StreamState>(IDLE);
  const latest = useRef({ onEvents, onState });
  latest.current = { onEvents, onState };
  useEffect(() => {
    if (path === null) return setState(IDLE);
    return follow(path, {
      onEvents: (events) => latest.current.onEvents(events),
      onState: (now) => {
        setState(now);
        latest.current.onState(now);
      },
    });
  }, [path]);
  // What is about to be followed is not idle, though nothing has begun.
  return path !== null && state === IDLE ? CONNECTING : state;
}
