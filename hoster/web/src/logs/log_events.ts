import type { StreamEvent } from "@/live/event_parser";
import type { LogLine } from "./log_lines";

const GAPS: Readonly<Record<string, string>> = {
  unknown_event_id: "the log began anew",
  too_old: "they are no longer kept",
  slow_reader: "this page was too slow for them",
  container_gone: "their container was removed",
};

interface Payload {
  readonly id?: string;
  readonly container?: string;
  readonly service?: string;
  readonly timestamp?: string;
  readonly stream?: string;
  readonly message?: string;
  readonly missed?: number | null;
  readonly reason?: string;
}

export function logLinesOf(events: readonly StreamEvent[]): LogLine[] {
  return events.flatMap((event) => {
    if (event.name === "log") return [lineOf(JSON.parse(event.data) as Payload, event.id)];
    if (event.name === "logs-gap") return [gapLine(JSON.parse(event.data) as Payload)];
    return [];
  });
}

export function lineOf(payload: Payload, id: string | null): LogLine {
  return {
    id: id ?? payload.id ?? null,
    container: payload.container ?? payload.service ?? "",
    timestamp: payload.timestamp ?? "",
    stream: payload.stream ?? "",
    message: payload.message ?? "",
  };
}

function gapLine(payload: Payload): LogLine {
  const count = typeof payload.missed === "number" ? `${payload.missed} lines` : "Some lines";
  const why = GAPS[payload.reason ?? ""] ?? "they could not be had";
  return {
    id: null,
    container: "",
    timestamp: "",
    stream: "notice",
    message: `${count} are missing here: ${why}.`,
  };
}
