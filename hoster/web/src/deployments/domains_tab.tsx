import { useMutation, useQueryClient } from "@tanstack/preact-query";
import { Button } from "@/elements/button";
import { CopyText } from "@/elements/copy_text";
import { Empty } from "@/elements/empty";
import { Listed } from "@/elements/listed";
import { ProblemNotice } from "@/elements/problem_notice";
import { Removal } from "@/elements/removal";
import { StateBadge } from "@/elements/state_badge";
import { TextField } from "@/elements/text_field";
import { useForm } from "@/elements/use_form";
import { request } from "@/session/request";
import { useList } from "@/session/use_list";
import { type Deployment, pathOf } from "./deployment";

interface DnsRecord {
  readonly type: string;
  readonly name: string;
  readonly value: string;
}

interface Domain {
  readonly hostname: string;
  readonly status: string;
  /** Either of them proves the domain. */
  readonly records: readonly DnsRecord[];
  readonly problem: string | null;
  readonly created_at: string;
  readonly verified_at: string | null;
}

const keyOf = (id: string) => ["deployment", id, "domains"];

export default function DomainsTab({ deployment }: { readonly deployment: Deployment }) {
  const domains = useList<Domain>(keyOf(deployment.id), `${pathOf(deployment.id)}/domains`);
  return (
    <>
      <NewDomain deployment={deployment} />
      <Listed
        query={domains}
        empty={
          <Empty title="No domain of your own yet">
            <p>
              It answers at <code>{deployment.hosts[0]}</code>. Add a name of yours above; you get the DNS
              record that proves that it is yours.
            </p>
          </Empty>
        }
      >
        {(items) => (
          <ul class="plain-list">
            {items.map((domain) => (
              <DomainCard key={domain.hostname} deployment={deployment} domain={domain} />
            ))}
          </ul>
        )}
      </Listed>
    </>
  );
}

function NewDomain({ deployment }: { readonly deployment: Deployment }) {
  const queries = useQueryClient();
  const form = useForm({ hostname: "" }, async ({ hostname }) => {
    await request(`${pathOf(deployment.id)}/domains`, {
      method: "POST",
      body: { hostname: hostname.trim() },
    });
    form.change({ hostname: "" });
    await queries.invalidateQueries({ queryKey: keyOf(deployment.id) });
  });
  return (
    <form class="inline-form" onSubmit={form.submit}>
      <TextField
        label="Domain"
        required
        {...form.field("hostname")}
        input={{ placeholder: "www.example.com", spellcheck: false, autocapitalize: "off" }}
      />
      <Button type="submit" kind="primary" busy={form.busy}>
        Add
      </Button>
      <ProblemNotice problem={form.problem} />
    </form>
  );
}

function DomainCard({ deployment, domain }: { readonly deployment: Deployment; readonly domain: Domain }) {
  const queries = useQueryClient();
  const at = `${pathOf(deployment.id)}/domains/${encodeURIComponent(domain.hostname)}`;
  const reload = () => queries.invalidateQueries({ queryKey: ["deployment", deployment.id] });
  const check = useMutation({
    mutationFn: () => request(`${at}/verify`, { method: "POST" }),
    onSettled: reload,
  });
  const verified = domain.verified_at !== null;
  return (
    <li class="card">
      <div class="row">
        <StateBadge state={domain.status} />
        <strong>{domain.hostname}</strong>
        <span class="spacer" />
        {!verified && (
          <Button small kind="primary" busy={check.isPending} onClick={() => check.mutate()}>
            Check now
          </Button>
        )}
        <Removal verb="Remove" name={domain.hostname} path={at} stale={["deployment", deployment.id]}>
          <p>Visitors at this name no longer reach {deployment.name}, and somebody else may claim it.</p>
        </Removal>
      </div>
      {!verified && <Records records={domain.records} />}
      {domain.problem !== null && domain.problem !== "" && <p class="notice is-warning">{domain.problem}</p>}
      <ProblemNotice problem={check.error} />
    </li>
  );
}

function Records({ records }: { readonly records: readonly DnsRecord[] }) {
  return (
    <>
      <p>
        Publish {records.length > 1 ? "one of these records" : "this record"} at your DNS provider, then
        check:
      </p>
      {records.map((record) => (
        <dl class="facts record" key={record.type}>
          <dt>Type</dt>
          <dd>{record.type}</dd>
          <dt>Name</dt>
          <dd>
            <CopyText text={record.name} label={`the name of the ${record.type} record`} />
          </dd>
          <dt>Value</dt>
          <dd>
            <CopyText text={record.value} label={`the value of the ${record.type} record`} />
          </dd>
        </dl>
      ))}
    </>
  );
}
