import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { day } from "@/elements/dates";
import type { LogLines } from "./log_lines";
import { LogRow } from "./log_row";
import { type RowWindow, rowWindow } from "./window";

const ROW_HEIGHT = 20;
const NEAR_END = 2 * ROW_HEIGHT;

interface LogViewProps {
  readonly lines: LogLines;
  /** Grows whenever `lines` has changed. */
  readonly version: number;
  readonly following: boolean;
  readonly onFollowing: (following: boolean) => void;
  readonly search: string;
  /** The line to bring into view. */
  readonly target: number | null;
  readonly label: string;
}

/** Draws only the rows in view, so that 100,000 lines scroll like ten. */
export function LogView(props: LogViewProps) {
  const { lines, version, following, onFollowing, search, target } = props;
  const box = useRef<HTMLDivElement>(null);
  const [rows, setRows] = useState<RowWindow>({ first: 0, end: 0 });
  const ownScroll = useRef(0);

  const measure = () => {
    const element = box.current;
    if (element !== null)
      setRows(rowWindow(element.scrollTop, element.clientHeight, ROW_HEIGHT, lines.count));
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` stands for the content of `lines`
  useLayoutEffect(() => {
    const element = box.current;
    if (element !== null && following) {
      element.scrollTop = element.scrollHeight;
      ownScroll.current = element.scrollTop;
    }
    measure();
  }, [version, following]);

  useEffect(() => {
    const element = box.current;
    if (element === null || target === null) return;
    element.scrollTop = Math.max(0, target * ROW_HEIGHT - element.clientHeight / 2);
  }, [target]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: one observer for the life of the view
  useEffect(() => {
    if (box.current === null) return;
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const scrolled = () => {
    const element = box.current;
    if (element === null) return;
    const upwards = element.scrollTop < ownScroll.current - 1;
    ownScroll.current = element.scrollTop;
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
    // Only the reader's own movement upwards ends following; lines that arrive never do.
    if (following && upwards && !atEnd) onFollowing(false);
    measure();
  };

  const withDay = beganEarlier(lines);
  const shown = [];
  for (let index = rows.first; index < Math.min(rows.end, lines.count); index += 1) {
    const line = lines.at(index);
    if (line !== undefined) {
      shown.push(
        <LogRow
          key={index + lines.dropped}
          line={line}
          search={search}
          current={index === target}
          withDay={withDay}
        />,
      );
    }
  }
  return (
    <section class="log" ref={box} onScroll={scrolled} aria-label={props.label} tabIndex={0}>
      <div
        class="log-all"
        style={{ height: `${lines.count * ROW_HEIGHT}px`, "--service": `${longest(lines.containers)}ch` }}
      >
        <div class="log-shown" style={{ transform: `translateY(${rows.first * ROW_HEIGHT}px)` }}>
          {shown}
        </div>
      </div>
    </section>
  );
}

function beganEarlier(lines: LogLines): boolean {
  const first = day(lines.at(0)?.timestamp ?? "");
  return first !== "" && first !== day(new Date().toISOString());
}

/** What the services' names need, so that all messages begin at one place. */
function longest(names: ReadonlySet<string>): number {
  return Math.min(16, Math.max(0, ...[...names].map((name) => name.length)));
}
