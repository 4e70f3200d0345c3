import "uplot/dist/uPlot.min.css";
import { useMemo } from "preact/hooks";
import type { Deployment } from "@/deployments/deployment";
import type { Live } from "@/deployments/live";
import { useReleases } from "@/deployments/releases_tab";
import { bytes, bytesASecond, percent } from "@/elements/amounts";
import { StreamLight } from "@/elements/stream_light";
import { useChanges } from "@/live/changes";
import { explain } from "@/problems/explanation";
import { BYTES, BYTES_A_SECOND, PERCENT } from "./axis";
import { Graph } from "./graph";
import type { Numbers } from "./series";

interface GraphsTabProps {
  readonly deployment: Deployment;
  readonly live: Live;
}

/** Live numbers of all containers together. */
export default function GraphsTab({ deployment, live }: GraphsTabProps) {
  const { series, changes } = live.numbers;
  const version = useChanges(changes);
  const releases = useReleases(deployment.id);
  const markers = useMemo(
    () =>
      (releases.data ?? []).map((release) => Date.parse(release.deployed_at ?? release.created_at) / 1000),
    [releases.data],
  );
  const shared = { times: series.times, version, markers };
  const now = (words: (numbers: Numbers) => string) =>
    series.newest === null ? "Nothing runs, or no numbers yet" : words(series.newest);
  const { columns } = series;
  return (
    <>
      <p class="row">
        <StreamLight state={live.state} />
        <span class="muted">
          Since you opened this deployment in this tab, for up to 2 hours: the platform itself stores no past
          numbers. Dashed lines are deploys.
        </span>
      </p>
      {live.state.kind === "refused" && <p class="notice">{explain(live.state.problem).next}</p>}
      <div class="graphs">
        <Graph
          title="CPU"
          now={now(({ cpu }) => `${percent(cpu)} of one core`)}
          lines={{ CPU: columns.cpu }}
          axis={PERCENT}
          format={percent}
          {...shared}
        />
        <Graph
          title="Memory"
          now={now(({ memory, memoryLimit }) => `${bytes(memory)} of ${bytes(memoryLimit)}`)}
          lines={{ Memory: columns.memory }}
          axis={BYTES}
          format={bytes}
          {...shared}
        />
        <Graph
          title="Network"
          now={now(({ received, sent }) => `${bytesASecond(received)} in, ${bytesASecond(sent)} out`)}
          lines={{ In: columns.received, Out: columns.sent }}
          axis={BYTES_A_SECOND}
          format={bytesASecond}
          {...shared}
        />
        <Graph
          title="Disk"
          now={now(({ read, written }) => `${bytesASecond(read)} read, ${bytesASecond(written)} written`)}
          lines={{ Read: columns.read, Written: columns.written }}
          axis={BYTES_A_SECOND}
          format={bytesASecond}
          {...shared}
        />
      </div>
    </>
  );
}
