import "uplot/dist/uPlot.min.css";
import { useMemo, useReducer, useState } from "preact/hooks";
import { type Deployment, pathOf } from "@/deployments/deployment";
import { useReleases } from "@/deployments/releases_tab";
import { bytes } from "@/elements/amounts";
import { StreamLight } from "@/elements/stream_light";
import { useStream } from "@/live/use_stream";
import { explain } from "@/problems/explanation";
import { Graph } from "./graph";
import { type Reading, Series } from "./series";

const DECIMAL = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 200, 500, 1000];
const BINARY = Array.from({ length: 40 }, (_, power) => 2 ** power);

/** Live numbers of all containers together; they begin when the page is opened and are kept while it is. */
export default function GraphsTab({ deployment }: { readonly deployment: Deployment }) {
  const [series] = useState(() => new Series());
  const [version, draw] = useReducer((count: number) => count + 1, 0);
  const state = useStream(`${pathOf(deployment.id)}/monitoring/stats/stream`, (events) => {
    for (const event of events) if (event.name === "stats") series.add(JSON.parse(event.data) as Reading);
    draw(undefined);
  });
  const releases = useReleases(deployment.id);
  const markers = useMemo(
    () =>
      (releases.data ?? []).map((release) => Date.parse(release.deployed_at ?? release.created_at) / 1000),
    [releases.data],
  );
  const newest = series.newest;
  return (
    <>
      <p class="row">
        <StreamLight state={state} />
        <span class="muted">Dashed lines are deploys.</span>
      </p>
      {state.kind === "refused" && <p class="notice">{explain(state.problem).next}</p>}
      <div class="graphs">
        <Graph
          title="CPU"
          now={newest === null ? "" : `${newest.cpu.toFixed(1)} %`}
          data={[series.times, series.cpu]}
          names={["CPU"]}
          version={version}
          markers={markers}
          format={percent}
          steps={DECIMAL}
        />
        <Graph
          title="Memory"
          now={newest === null ? "" : `${bytes(newest.memory)} of ${bytes(newest.memoryLimit)}`}
          data={[series.times, series.memory]}
          names={["Memory"]}
          version={version}
          markers={markers}
          format={bytes}
          steps={BINARY}
        />
        <Graph
          title="Network"
          now={newest === null ? "" : `${bytes(newest.received)}/s in, ${bytes(newest.sent)}/s out`}
          data={[series.times, series.received, series.sent]}
          names={["Received", "Sent"]}
          version={version}
          markers={markers}
          format={perSecond}
          steps={BINARY}
        />
      </div>
    </>
  );
}

function percent(value: number): string {
  return `${value < 1 ? value.toFixed(2) : value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

function perSecond(value: number): string {
  return `${bytes(value)}/s`;
}
