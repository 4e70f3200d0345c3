import { bytes, bytesASecond, percent } from "@/elements/amounts";
import type { NumbersFeed } from "@/graphs/numbers_feed";
import { useChanges } from "@/live/changes";

/** What it takes at this moment; the graphs show how it came to that. Its place is taken from the beginning, so nothing jumps. */
export function NumbersNow({ numbers }: { readonly numbers: NumbersFeed }) {
  useChanges(numbers.changes);
  const now = numbers.series.newest;
  const most = now === null ? "" : ` of ${bytes(now.memoryLimit)}`;
  const rows = [
    ["CPU", percent(now?.cpu ?? null)],
    ["Memory", `${bytes(now?.memory ?? null)}${most}`],
    ["Network in", bytesASecond(now?.received ?? null)],
    ["Network out", bytesASecond(now?.sent ?? null)],
  ] as const;
  return (
    <dl class="numbers-now">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
