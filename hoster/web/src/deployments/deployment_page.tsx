import { Suspense } from "preact/compat";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Loaded } from "@/elements/loaded";
import { PageHeading } from "@/elements/page_heading";
import { SafePlace } from "@/elements/safe_place";
import { sentence } from "@/elements/sentence";
import { StateBadge } from "@/elements/state_badge";
import { LogPanel } from "@/logs/log_panel";
import { NotFoundPage } from "@/pages/not_found_page";
import { Problem } from "@/problems/problem";
import { later } from "@/routing/later";
import { Link } from "@/routing/link";
import { go } from "@/routing/location";
import { Actions } from "./actions";
import { type Deployment, useDeployment } from "./deployment";
import { type Live, useLive } from "./live";
import { Overview } from "./overview";

const GraphsTab = later(() => import("@/graphs/graphs_tab"));
const ReleasesTab = later(() => import("./releases_tab"));
const EventsTab = later(() => import("./events_tab"));
const VariablesTab = later(() => import("./variables_tab"));
const SettingsTab = later(() => import("./settings_tab"));
const DomainsTab = later(() => import("./domains_tab"));

const TABS = [
  ["overview", "Overview"],
  ["logs", "Logs"],
  ["metrics", "Metrics"],
  ["releases", "Releases"],
  ["variables", "Variables"],
  ["domains", "Domains"],
  ["events", "Events"],
  ["settings", "Settings"],
] as const;

export function DeploymentPage({ id, tab }: { readonly id: string; readonly tab: string }) {
  const deployment = useDeployment(id);
  useGone(deployment.error, deployment.data?.status);
  const live = useLive(id, deployment.data);
  if (!TABS.some(([name]) => name === tab)) return <NotFoundPage />;
  return (
    <>
      <PageHeading
        title={deployment.data?.name ?? "Deployment"}
        part={tab === "overview" ? undefined : TABS.find(([name]) => name === tab)?.[1]}
      >
        {deployment.data?.status === "running" && (
          <a class="button is-primary" href={deployment.data.url} target="_blank" rel="noreferrer">
            Open the app
          </a>
        )}
        {deployment.data !== undefined && <Actions deployment={deployment.data} />}
      </PageHeading>
      <Loaded query={deployment} lines={10}>
        {(found) => (
          <>
            <Facts deployment={found} tab={tab} />
            <Tabs id={id} tab={tab} />
            <SafePlace key={tab}>
              <Suspense fallback={<p class="page-waiting" />}>
                <Tab deployment={found} tab={tab} live={live} />
              </Suspense>
            </SafePlace>
          </>
        )}
      </Loaded>
    </>
  );
}

/** Deleted to the end, here or in another tab: back to the list, which no longer has it. */
function useGone(error: unknown, status: string | undefined): void {
  const gone =
    status === "deleted" ||
    (error instanceof Problem && error.code === "deployment_not_found" && status !== undefined);
  useEffect(() => {
    if (gone) go("/deployments", { replace: true });
  }, [gone]);
}

function Facts({ deployment, tab }: { readonly deployment: Deployment; readonly tab: string }) {
  const address = deployment.status === "running";
  return (
    <div class="deployment-facts">
      <p class="row">
        <span role="status">
          <StateBadge state={deployment.status} />
        </span>
        {deployment.visibility === "private" && <span class="tag">private</span>}
        {address ? (
          <a href={deployment.url} target="_blank" rel="noreferrer">
            {deployment.url}
          </a>
        ) : (
          <span class="muted">{deployment.url}</span>
        )}
      </p>
      {deployment.status === "pending" && <p class="notice">It was created without being started.</p>}
      <Reason deployment={deployment} isOverview={tab === "overview"} />
    </div>
  );
}

interface ReasonProps {
  readonly deployment: Deployment;
  /** Where the steps are shown. */
  readonly isOverview: boolean;
}

/** Its place is there before it, so that a screen reader says it when it comes. */
function Reason({ deployment, isOverview }: ReasonProps) {
  const { id, status, status_reason: reason } = deployment;
  const failed = status === "failed";
  return (
    <div role="status">
      {reason !== null && reason !== "" && (
        <div class={failed ? "notice is-problem" : "notice"}>
          <p class={isOverview ? undefined : "in-short"}>{sentence(reason)}</p>
          {failed && (
            <p>
              {isOverview ? (
                "The steps below say where it failed; correct it, then redeploy or start it."
              ) : (
                <Link to={`/deployments/${id}`}>See where it failed</Link>
              )}
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function Tabs({ id, tab }: { readonly id: string; readonly tab: string }) {
  const row = useRef<HTMLElement>(null);
  // On a narrow screen the row scrolls, and the open tab may be beyond its edge.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another tab is another place in the row
  useLayoutEffect(() => {
    const open = row.current?.querySelector<HTMLElement>("[aria-current]");
    if (open && row.current) row.current.scrollLeft = open.offsetLeft - row.current.offsetLeft - 48;
  }, [tab]);
  return (
    <nav class="tabs" aria-label="Of this deployment" ref={row}>
      {TABS.map(([name, title]) => (
        <Link
          key={name}
          to={name === "overview" ? `/deployments/${id}` : `/deployments/${id}/${name}`}
          aria-current={name === tab ? "page" : undefined}
        >
          {title}
        </Link>
      ))}
    </nav>
  );
}

interface TabProps {
  readonly deployment: Deployment;
  readonly tab: string;
  readonly live: Live;
}

function Tab({ deployment, tab, live }: TabProps) {
  switch (tab) {
    case "logs":
      return <LogPanel log={live.log} state={live.state} name={deployment.name} />;
    case "metrics":
      return <GraphsTab deployment={deployment} live={live} />;
    case "releases":
      return <ReleasesTab deployment={deployment} />;
    case "variables":
      return <VariablesTab deployment={deployment} />;
    case "domains":
      return <DomainsTab deployment={deployment} />;
    case "settings":
      return <SettingsTab deployment={deployment} />;
    case "events":
      return <EventsTab deployment={deployment} />;
    default:
      return <Overview deployment={deployment} live={live} />;
  }
}
