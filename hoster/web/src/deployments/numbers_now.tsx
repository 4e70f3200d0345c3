import { bytes, bytesASecond, percent } from "@/elements/amounts";
import type { NumbersFeed } from "@/graphs/numbers_feed";
import { useChanges } from "@/live/changes";
import { Link } from "@/routing/link";

/** What it takes at this moment; the graphs show how it came to that. */
export function NumbersNow({ numbers, id }: { readonly numbers: NumbersFeed; readonly id: string }) {
  useChanges(numbers.changes);
  const { newest } = numbers.series;
  if (newest === null) return null;
  return (
    <p class="numbers-now">
      <span>CPU {percent(newest.cpu)}</span>
      <span>
        Memory {bytes(newest.memory)} of {bytes(newest.memoryLimit)}
      </span>
      <span>
        Network {bytesASecond(newest.received)} in, {bytesASecond(newest.sent)} out
      </span>
      <Link to={`/deployments/${id}/metrics`}>Graphs</Link>
    </p>
  );
}
