import { megabytes } from "@/elements/amounts";
import { Moment } from "@/elements/moment";
import { LogPanel } from "@/logs/log_panel";
import { useNode } from "@/nodes/node";
import { Link } from "@/routing/link";
import type { Deployment } from "./deployment";
import { Health } from "./health";
import type { Live } from "./live";
import { NumbersNow } from "./numbers_now";
import { Timeline } from "./timeline";
import { WhatItRuns } from "./what_it_runs";

/** The steps of the newest deploy, with the live log beside them. */
export function Overview({ deployment, live }: { readonly deployment: Deployment; readonly live: Live }) {
  const node = useNode(deployment.node_id);
  return (
    <>
      <NumbersNow numbers={live.numbers} />
      <div class="overview">
        <section class="card">
          <h2>Latest deploy</h2>
          <Timeline deployment={deployment} />
        </section>
        <section class="overview-log">
          <h2>Live log</h2>
          <LogPanel log={live.log} state={live.state} name={deployment.name} compact />
        </section>
      </div>
      <div class="overview">
        <section class="card">
          <h2>Health</h2>
          <Health deployment={deployment} />
        </section>
        <section class="card">
          <h2>About it</h2>
          <dl class="facts">
            <dt>Runs</dt>
            <dd>
              <WhatItRuns deployment={deployment} />
            </dd>
            <dt>Reserved</dt>
            <dd>
              {deployment.resources.cpu_cores} CPU, {megabytes(deployment.resources.memory_mb)} memory,{" "}
              {megabytes(deployment.resources.disk_mb)} disk
            </dd>
            <dt>Created</dt>
            <dd>
              <Moment at={deployment.created_at} />
            </dd>
            <dt>Last started</dt>
            <dd>
              <Moment at={deployment.started_at} />
            </dd>
            <dt>Node</dt>
            <dd>
              {deployment.node_id === null ? (
                "none yet"
              ) : (
                <Link to="/nodes">{node.data?.name ?? deployment.node_id}</Link>
              )}
            </dd>
            <dt>Inner address</dt>
            <dd>
              <code>{deployment.hosts[1]}</code>
            </dd>
          </dl>
        </section>
      </div>
    </>
  );
}
