import { useQuery } from "@tanstack/preact-query";
import { dateAndTime } from "@/elements/dates";
import { Listed } from "@/elements/listed";
import { Loaded } from "@/elements/loaded";
import { Meter } from "@/elements/meter";
import { Moment } from "@/elements/moment";
import { PageHeading } from "@/elements/page_heading";
import { Table } from "@/elements/table";
import { together } from "@/elements/together";
import { type Quota, useAccount } from "@/session/account";
import { request } from "@/session/request";
import { useList } from "@/session/use_list";
import { PlanRoom, usePlanRoom } from "@/templates/plan_room";
import { PlanCards, usePlans } from "./plan_cards";

interface Rate {
  readonly limit: number;
  readonly burst: number;
  readonly remaining: number;
  readonly resets_at: string;
}

interface Total {
  readonly event_type: string | null;
  readonly count: number;
  readonly cost: number;
}

interface Usage {
  readonly period: string;
  readonly quota: Quota | null;
  readonly rate: Rate | null;
  readonly totals: readonly Total[];
}

export default function UsagePage() {
  const usage = useQuery({ queryKey: ["usage"], queryFn: () => request<Usage>("/mod/usage") });
  const room = usePlanRoom();
  const plans = usePlans();
  return (
    <>
      <PageHeading
        title="Usage and billing"
        lead="Creating, starting, stopping and deleting a deployment count. Looking, however long, does not."
      />
      <Loaded query={together({ usage, room, plans })} lines={12}>
        {(found) => (
          <>
            <div class="overview">
              <Counted usage={found.usage} />
              <PlanRoom needs={null} />
            </div>
            <Totals usage={found.usage} />
            <Plans />
            <Events />
          </>
        )}
      </Loaded>
    </>
  );
}

function Counted({ usage }: { readonly usage: Usage }) {
  const { quota, rate } = usage;
  return (
    <section class="card">
      <h2>{monthOf(usage.period)}</h2>
      {quota === null ? (
        <p class="notice is-warning">
          The counters cannot be read at the moment. What is recorded below is true all the same.
        </p>
      ) : (
        <>
          <Meter label="Operations" used={quota.used} most={quota.limit} />
          <QuotaWords quota={quota} />
        </>
      )}
      {rate !== null && (
        <p>
          Rate: {rate.limit} operations a minute, {rate.burst} at once; {rate.remaining} could be sent now.
        </p>
      )}
    </section>
  );
}

function QuotaWords({ quota }: { readonly quota: Quota }) {
  if (quota.limit < 0) return <p class="muted">Your plan has no monthly limit.</p>;
  const full = `full again on ${dateAndTime(new Date(quota.resets_at))}`;
  if (quota.remaining > 0) return <p class="muted">The quota is {full}.</p>;
  return (
    <p class="notice is-warning">
      The quota is used up, and {full}. Until then nothing can be created, started, stopped or deleted; what
      runs goes on running. To go on before that, ask your operator for a larger plan.
    </p>
  );
}

function Totals({ usage }: { readonly usage: Usage }) {
  return (
    <section>
      <h2>By type</h2>
      {usage.totals.length === 0 ? (
        <p class="muted">Nothing this month.</p>
      ) : (
        <Table caption="Totals by type" columns={["Type", "Requests", "Counted"]}>
          {usage.totals.map((total) => (
            <tr key={total.event_type ?? ""}>
              <td>{total.event_type ?? "refused or without effect (free)"}</td>
              <td class="number" data-column="Requests">
                {total.count.toLocaleString("en")}
              </td>
              <td class="number" data-column="Counted">
                {total.cost.toLocaleString("en")}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

function Plans() {
  const account = useAccount();
  return (
    <section>
      <h2>Plans</h2>
      <p class="muted">To change your plan, ask the operator of this platform.</p>
      <PlanCards current={account.data?.user.plan_id ?? null} heading="h3" />
    </section>
  );
}

interface UsageEvent {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly event_type: string | null;
  readonly cost: number;
  readonly created_at: string;
}

function Events() {
  const events = useList<UsageEvent>(["usage-events"], "/mod/usage/events?limit=50");
  return (
    <section>
      <h2>Each request</h2>
      <Listed
        query={events}
        empty={<p class="muted">Nothing yet. The first deployment makes the first entry.</p>}
      >
        {(items) => (
          <Table caption="Usage events" columns={["When", "Type", "Request", "Status", "Counted"]}>
            {items.map((event) => (
              <tr key={event.id}>
                <td>
                  <Moment at={event.created_at} />
                </td>
                <td>{event.event_type ?? "none"}</td>
                <td>
                  <code>
                    {event.method} {event.path}
                  </code>
                </td>
                <td class="number" data-column="Status">
                  {event.status}
                </td>
                <td class="number" data-column="Counted">
                  {event.cost}
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Listed>
    </section>
  );
}

function monthOf(period: string): string {
  return new Date(`${period}-15T00:00:00Z`).toLocaleDateString("en", { month: "long", year: "numeric" });
}
