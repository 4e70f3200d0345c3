import { useQuery } from "@tanstack/preact-query";
import { Loaded } from "@/elements/loaded";
import { Moment } from "@/elements/moment";
import { StateBadge } from "@/elements/state_badge";
import { request } from "@/session/request";
import { type Deployment, pathOf } from "./deployment";

interface Container {
  readonly name: string;
  readonly status: string;
  readonly health: string | null;
  readonly started_at: string | null;
  readonly restarts: number;
}

interface HealthReport {
  readonly status: string;
  readonly containers: readonly Container[];
  readonly checked_at: string;
}

export function Health({ deployment }: { readonly deployment: Deployment }) {
  if (deployment.status === "stopped") return <p class="muted">It is stopped, so nothing is checked.</p>;
  return <Checked deployment={deployment} />;
}

function Checked({ deployment }: { readonly deployment: Deployment }) {
  const health = useQuery({
    queryKey: ["deployment", deployment.id, "health", deployment.status],
    queryFn: () => request<HealthReport>(`${pathOf(deployment.id)}/monitoring/health`),
    placeholderData: (before) => before,
  });
  return (
    <Loaded query={health} lines={2}>
      {(report) => (
        <>
          <p class="row">
            <StateBadge state={report.status} />
            <span class="muted">
              checked <Moment at={report.checked_at} />
            </span>
          </p>
          {report.containers.length === 0 && <p class="muted">No container runs.</p>}
          <ul class="plain-list">
            {report.containers.map((container) => (
              <li key={container.name} class="row">
                <strong>{container.name}</strong>
                <StateBadge state={container.health ?? container.status} />
                <span class="muted">
                  {container.status}, started <Moment at={container.started_at} />,{" "}
                  {container.restarts === 1 ? "1 restart" : `${container.restarts} restarts`}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Loaded>
  );
}
