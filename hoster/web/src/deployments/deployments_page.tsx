import { counted } from "@/elements/amounts";
import { Empty } from "@/elements/empty";
import { Filter } from "@/elements/filter";
import { Listed } from "@/elements/listed";
import { Loaded } from "@/elements/loaded";
import { Moment } from "@/elements/moment";
import { More } from "@/elements/more";
import { PageHeading } from "@/elements/page_heading";
import { sentence } from "@/elements/sentence";
import { StateBadge } from "@/elements/state_badge";
import { useSettled } from "@/elements/use_settled";
import { Link } from "@/routing/link";
import { type Deployment, useDeployments, useFoundDeployments } from "./deployment";
import { chosen, isNarrow, statesOf } from "./deployment_filter";
import { useFilter } from "./use_filter";
import { WhatItRuns } from "./what_it_runs";

export function DeploymentsPage() {
  const deployments = useDeployments();
  const [filter, show] = useFilter();
  const isAll = !deployments.hasNextPage;
  // What is not here is looked for by the API.
  const elsewhere = isNarrow(filter) && !isAll;
  const found = useFoundDeployments({ text: useSettled(filter.text), state: filter.state }, elsewhere);
  const shown = elsewhere ? (found.data ?? []) : chosen(deployments.data ?? [], filter);
  return (
    <>
      <PageHeading title="Deployments">
        <Link class="button is-primary" to="/templates">
          New deployment
        </Link>
      </PageHeading>
      <Loaded query={deployments} lines={6}>
        {(items) =>
          items.length === 0 ? (
            <First />
          ) : (
            <>
              {(items.length > 1 || isNarrow(filter)) && (
                <Filter
                  label="Search deployments"
                  text={filter.text}
                  onText={(text) => show({ ...filter, text })}
                  kindsLabel="State"
                  kinds={statesOf(items, filter.state, isAll)}
                  kind={filter.state}
                  onKind={(state) => show({ ...filter, state })}
                  found={counted(shown.length, "deployment")}
                />
              )}
              {elsewhere ? (
                <Listed query={found} empty={<NoneFits />} lines={6}>
                  {(rows) => <Rows items={rows} />}
                </Listed>
              ) : (
                <>
                  {shown.length === 0 ? <NoneFits /> : <Rows items={shown} />}
                  <More query={deployments} />
                </>
              )}
            </>
          )
        }
      </Loaded>
    </>
  );
}

function NoneFits() {
  return (
    <Empty title="No deployment fits">
      <p>
        Try fewer words or another state, or <Link to="/deployments">see all of them</Link>.
      </p>
    </Empty>
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

function Rows({ items }: { readonly items: readonly Deployment[] }) {
  return (
    <ul class="deployments">
      {items.map((deployment) => (
        <li key={deployment.id} class="card deployment-row">
          <div>
            <h2>
              <Link to={`/deployments/${deployment.id}`}>{deployment.name}</Link>
            </h2>
            <p class="muted in-short">
              <WhatItRuns deployment={deployment} />
            </p>
          </div>
          <div>
            <StateBadge state={deployment.status} />
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
          {deployment.status === "failed" && deployment.status_reason !== null && (
            <p class="reason in-short">{sentence(deployment.status_reason)}</p>
          )}
        </li>
      ))}
    </ul>
  );
}
