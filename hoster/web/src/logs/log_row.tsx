import { day, timeOfDay } from "@/elements/dates";
import { pieces, plainText } from "./ansi";
import type { LogLine } from "./log_lines";

interface LogRowProps {
  readonly line: LogLine;
  readonly search: string;
  readonly current: boolean;
  /** Not all of the log is of today. */
  readonly withDay: boolean;
}

export function LogRow({ line, search, current, withDay }: LogRowProps) {
  const classes = [
    "log-row",
    line.stream === "stderr" && "is-error",
    line.id === null && "is-notice",
    current && "is-current",
  ];
  return (
    <div class={classes.filter(Boolean).join(" ")}>
      <time class="log-time" dateTime={line.timestamp} title={line.timestamp}>
        {withDay && `${day(line.timestamp)} `}
        {timeOfDay(line.timestamp)}
      </time>
      <span class="log-container" title={line.container}>
        {line.container}
      </span>
      <span class="log-message">
        {search === "" ? coloured(line.message) : marked(plainText(line.message), search)}
      </span>
    </div>
  );
}

function coloured(message: string) {
  return pieces(message).map((piece) =>
    piece.classes === "" ? piece.text : <span class={piece.classes}>{piece.text}</span>,
  );
}

/** While searching, the places count and the colours do not. */
function marked(text: string, search: string) {
  const parts = [];
  const wanted = search.toLowerCase();
  const where = text.toLowerCase();
  let from = 0;
  for (let at = where.indexOf(wanted); at >= 0; at = where.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  parts.push(text.slice(from));
  return parts;
}
