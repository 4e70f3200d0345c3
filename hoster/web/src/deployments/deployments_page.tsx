import { capitalised } from "@/elements/capitalised";
import { Empty } from "@/elements/empty";
import { Loaded } from "@/elements/loaded";
import { Moment } from "@/elements/moment";
import { More } from "@/elements/more";
import { PageHeading } from "@/elements/page_heading";
import { StateBadge } from "@/elements/state_badge";
import { Link } from "@/routing/link";
import { type Deployment, useDeployments } from "./deployment";
import { WhatItRuns } from "./what_it_runs";

export function DeploymentsPage() {
  const deployments = useDeployments();
  return (
    <>
      <PageHeading title="Deployments">
        <Link class="button is-primary" to="/templates">
          New deployment
        </Link>
      </PageHeading>
      <Loaded query={deployments} lines={6}>
        {(items) => (items.length === 0 ? <First /> : <List items={items} />)}
      </Loaded>
      <More query={deployments} />
    </>
  );
}

function First() {
  return (
    <Empty title="Nothing is deployed yet">
      <p>Three steps to an app of your own:</p>
      <ol>
        <li>
          Choose a <Link to="/templates">template</Link>. <em>Hello</em> is the quickest.
        </li>
        <li>Fill in its form and press Deploy. You see each step and the live log.</li>
        <li>Open its address. It keeps it for as long as it lives.</li>
      </ol>
      <p>
        <Link class="button is-primary" to="/templates">
          Choose a template
        </Link>
      </p>
    </Empty>
  );
}

function List({ items }: { readonly items: readonly Deployment[] }) {
  return (
    <ul class="deployments">
      {items.map((deployment) => (
        <li key={deployment.id} class="card deployment-row">
          <div>
            <h2>
              <Link to={`/deployments/${deployment.id}`}>{deployment.name}</Link>
            </h2>
            <p class="muted">
              <WhatItRuns deployment={deployment} />
            </p>
          </div>
          <div>
            <StateBadge state={deployment.status} />
            {deployment.status === "failed" && deployment.status_reason !== null && (
              <p class="reason">{capitalised(deployment.status_reason)}</p>
            )}
          </div>
          <p class="deployment-address">
            {deployment.status === "running" ? (
              <a href={deployment.url} target="_blank" rel="noreferrer">
                {deployment.hosts[0]}
              </a>
            ) : (
              <span class="muted">{deployment.hosts[0]}</span>
            )}
          </p>
          <p class="muted">
            created <Moment at={deployment.created_at} />
          </p>
        </li>
      ))}
    </ul>
  );
}
