import "uplot/dist/uPlot.min.css";
import { useMemo } from "preact/hooks";
import type { Deployment } from "@/deployments/deployment";
import type { Live } from "@/deployments/live";
import { useReleases } from "@/deployments/releases_tab";
import { bytes, percent } from "@/elements/amounts";
import { StreamLight } from "@/elements/stream_light";
import { useChanges } from "@/live/changes";
import { explain } from "@/problems/explanation";
import { BYTES, BYTES_A_SECOND, PERCENT } from "./axis";
import { Graph } from "./graph";

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
  const { newest } = series;
  const shared = { version, markers };
  return (
    <>
      <p class="row">
        <StreamLight state={live.state} />
        <span class="muted">
          A reading every 2 seconds, for up to 2 hours, from when you opened this deployment in this tab: the
          platform stores none. Dashed lines are deploys.
        </span>
      </p>
      {live.state.kind === "refused" && <p class="notice">{explain(live.state.problem).next}</p>}
      <div class="graphs">
        <Graph
          title="CPU"
          now={newest === null ? "" : `${percent(newest.cpu)} of one core`}
          data={[series.times, series.cpu]}
          names={["CPU"]}
          axis={PERCENT}
          format={percent}
          {...shared}
        />
        <Graph
          title="Memory"
          now={newest === null ? "" : `${bytes(newest.memory)} of ${bytes(newest.memoryLimit)}`}
          data={[series.times, series.memory]}
          names={["Memory"]}
          axis={BYTES}
          format={bytes}
          {...shared}
        />
        <Graph
          title="Network"
          now={newest === null ? "" : `${perSecond(newest.received)} in, ${perSecond(newest.sent)} out`}
          data={[series.times, series.received, series.sent]}
          names={["Received", "Sent"]}
          axis={BYTES_A_SECOND}
          format={perSecond}
          {...shared}
        />
      </div>
    </>
  );
}

function perSecond(value: number): string {
  return `${bytes(value)}/s`;
}
