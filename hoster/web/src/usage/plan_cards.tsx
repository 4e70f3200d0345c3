import { useQuery } from "@tanstack/preact-query";
import { megabytes } from "@/elements/amounts";
import { Loaded } from "@/elements/loaded";
import type { Plan } from "@/session/account";
import { request } from "@/session/request";

export function usePlans() {
  return useQuery({
    queryKey: ["plans"],
    queryFn: () => request<{ items: readonly Plan[] }>("/mod/plans").then((page) => page.items),
  });
}

interface PlanCardsProps {
  readonly current: string | null;
  /** The level of each plan's heading, which follows that of what surrounds them. */
  readonly heading: "h2" | "h3";
}

export function PlanCards({ current, heading: Heading }: PlanCardsProps) {
  const plans = usePlans();
  return (
    <Loaded query={plans}>
      {(items) => (
        <ul class="cards">
          {items.map((plan) => (
            <li key={plan.id} class={plan.id === current ? "card is-chosen" : "card"}>
              <Heading>
                {plan.id} {plan.id === current && <span class="tag">yours</span>}
              </Heading>
              <PlanFacts plan={plan} />
            </li>
          ))}
        </ul>
      )}
    </Loaded>
  );
}

function PlanFacts({ plan }: { readonly plan: Plan }) {
  const { limits } = plan;
  const capabilities = limits.allowed_capabilities ?? [];
  return (
    <dl class="facts">
      <dt>Operations</dt>
      <dd>
        {plan.requests_per_month < 0
          ? "any number"
          : `${plan.requests_per_month.toLocaleString("en")} a month`}
      </dd>
      <dt>Rate</dt>
      <dd>
        {plan.rate_per_minute} a minute, {plan.burst} at once
      </dd>
      <dt>Deployments</dt>
      <dd>{most(limits.max_deployments)}</dd>
      <dt>CPU cores</dt>
      <dd>{most(limits.max_cpu_cores)}</dd>
      <dt>Memory</dt>
      <dd>{most(limits.max_memory_mb, megabytes)}</dd>
      <dt>Disk</dt>
      <dd>{most(limits.max_disk_mb, megabytes)}</dd>
      {capabilities.length > 0 && (
        <>
          <dt>Machines</dt>
          <dd>{capabilities.join(", ")}</dd>
        </>
      )}
    </dl>
  );
}

function most(amount: number | undefined, format: (amount: number) => string = String): string {
  return amount === undefined || amount < 0 ? "any" : format(amount);
}
