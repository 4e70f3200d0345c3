import { useEffect, useRef, useState } from "preact/hooks";
import type { StreamEvent } from "./event_parser";
import { follow, type StreamState } from "./follow";

/** Follows `path` while the component is there; null follows nothing. */
export function useStream(
  path: string | null,
  onEvents: (events: readonly StreamEvent[]) => void,
): StreamState {
  const [state, setState] = useState<StreamState>({ kind: "connecting" });
  const latest = useRef(onEvents);
  latest.current = onEvents;
  useEffect(() => {
    if (path === null) return;
    return follow(path, { onEvents: (events) => latest.current(events), onState: setState });
  }, [path]);
  return state;
}
