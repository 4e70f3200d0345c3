import { useMemo, useState } from "preact/hooks";
import { counted } from "@/elements/amounts";
import { Button } from "@/elements/button";
import { save } from "@/elements/save";
import { StreamLight } from "@/elements/stream_light";
import { useChanges } from "@/live/changes";
import type { StreamState } from "@/live/follow";
import type { Log } from "./log";
import { LogView } from "./log_view";

interface LogPanelProps {
  readonly log: Log;
  readonly state: StreamState;
  /** What the saved file is called. */
  readonly name: string;
  readonly compact?: boolean;
}

/** A live log with its controls: follow, pause, search, save. */
export function LogPanel({ log, state, name, compact = false }: LogPanelProps) {
  const version = useChanges(log.changes);
  const [following, setFollowing] = useState(true);
  const [container, setContainer] = useState("");
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` stands for the content of the lines
  const lines = useMemo(
    () => (container === "" ? log.lines : log.lines.of(container)),
    [container, log.lines, version],
  );
  const [search, setSearch] = useState("");
  const [place, setPlace] = useState(-1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` stands for the content of the lines
  const found = useMemo(() => (search === "" ? [] : lines.find(search)), [search, lines, version]);
  const target = found[place] ?? null;

  const look = (text: string) => {
    setSearch(text);
    setPlace(-1);
  };
  const turn = (by: number) => {
    if (found.length === 0) return;
    setFollowing(false);
    setPlace(place < 0 ? (by > 0 ? 0 : found.length - 1) : (place + by + found.length) % found.length);
  };
  const searchKey = (event: KeyboardEvent) => {
    if (event.key === "Enter") turn(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") look("");
  };

  return (
    <div class={compact ? "log-panel is-compact" : "log-panel"}>
      <div class="log-controls">
        <StreamLight state={state} />
        <input
          type="search"
          class="log-search"
          placeholder="Search"
          aria-label="Search in the log"
          value={search}
          onInput={(event) => look(event.currentTarget.value)}
          onKeyDown={searchKey}
        />
        {search !== "" && (
          <span class="log-found">
            <span aria-live="polite">
              {place < 0 ? `${found.length} found` : `${place + 1} of ${found.length}`}
            </span>
            <Button small onClick={() => turn(-1)} label="Previous match">
              ↑
            </Button>
            <Button small onClick={() => turn(1)} label="Next match">
              ↓
            </Button>
          </span>
        )}
        <ServiceChoice names={[...log.lines.containers]} chosen={container} onChoice={setContainer} />
        <span class="log-buttons">
          <Button small pressed={following} onClick={() => setFollowing(!following)}>
            Follow
          </Button>
          <Button small pressed={log.paused} onClick={() => log.pause(!log.paused)}>
            {log.paused ? `Resume${log.held > 0 ? ` (${log.held} new)` : ""}` : "Pause"}
          </Button>
          <Button small onClick={() => save(`${name}.log`, lines.asText())} disabled={lines.count === 0}>
            Download
          </Button>
        </span>
      </div>
      <LogView
        lines={lines}
        version={version}
        following={following}
        onFollowing={setFollowing}
        search={search}
        target={target}
        label="Log lines"
      />
      <p class="log-foot">{footOf(lines.count, log.lines.dropped, state.kind === "live")}</p>
    </div>
  );
}

interface ServiceChoiceProps {
  readonly names: readonly string[];
  /** Empty: all of them. */
  readonly chosen: string;
  readonly onChoice: (name: string) => void;
}

function ServiceChoice({ names, chosen, onChoice }: ServiceChoiceProps) {
  if (names.length < 2) return null;
  return (
    <select aria-label="Service" value={chosen} onChange={(event) => onChoice(event.currentTarget.value)}>
      <option value="">All services</option>
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

function footOf(count: number, dropped: number, isLive: boolean): string {
  if (count === 0) return isLive ? "No lines yet. They appear here as the app writes them." : "No lines yet.";
  const older = dropped > 0 ? `; ${counted(dropped, "older one")} no longer kept` : "";
  return `${counted(count, "line")}${older}`;
}
