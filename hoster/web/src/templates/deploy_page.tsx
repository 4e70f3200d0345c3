import { useState } from "preact/hooks";
import { createDeployment } from "@/deployments/create";
import { megabytes, money } from "@/elements/amounts";
import { Button } from "@/elements/button";
import { Loaded } from "@/elements/loaded";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { TextField } from "@/elements/text_field";
import { useSubmit } from "@/elements/use_submit";
import { Link } from "@/routing/link";
import { go } from "@/routing/location";
import { useAccount } from "@/session/account";
import { NodeAndVisibility, type Placement, PUBLIC_ANYWHERE } from "./placement_fields";
import { PlanRoom } from "./plan_room";
import { type Template, useTemplate } from "./template";
import { VariableField } from "./variable_field";
import { faultsOf, initialEntries, valuesOf } from "./variable_values";

export function DeployPage({ templateId }: { readonly templateId: string }) {
  const template = useTemplate(templateId);
  return (
    <>
      <PageHeading
        title={template.data === undefined ? "Deploy" : `Deploy ${template.data.name}`}
        lead={template.data?.description}
      />
      <Loaded query={template} lines={8}>
        {(found) => <DeployForm key={found.id} template={found} />}
      </Loaded>
    </>
  );
}

function DeployForm({ template }: { readonly template: Template }) {
  const [name, setName] = useState(() => template.name.toLowerCase().replace(/\s+/g, "-"));
  const [entries, setEntries] = useState(() => initialEntries(template.variables));
  const [placement, setPlacement] = useState<Placement>(PUBLIC_ANYWHERE);
  const [tried, setTried] = useState(false);
  const faults = tried ? faultsOf(template.variables, entries) : {};
  const form = useSubmit(async () => {
    setTried(true);
    if (Object.keys(faultsOf(template.variables, entries)).length > 0) return;
    const variables = valuesOf(template.variables, entries);
    const created = await createDeployment({ name, template_id: template.id, variables, ...placement });
    go(`/deployments/${created.id}`);
  });
  return (
    <form class="deploy-form" onSubmit={form.submit}>
      <div>
        <TextField
          label="Name"
          required
          value={name}
          onValue={setName}
          hint="Yours alone; it becomes part of the address."
          fault={form.fault("name")}
          input={{ maxLength: 100 }}
        />
        {template.variables.map((variable) => (
          <VariableField
            key={variable.name}
            variable={variable}
            entry={entries[variable.name] ?? ""}
            fault={faults[variable.name] ?? form.fault(`variables.${variable.name}`)}
            onEntry={(entry) => setEntries({ ...entries, [variable.name]: entry })}
            emptyPassword="Generate one here and keep it: later it is shown as *** only. Left empty, one is generated that nobody sees."
          />
        ))}
        <NodeAndVisibility placement={placement} onPlacement={setPlacement} />
        <ProblemNotice problem={form.problem} />
        <Button kind="primary" type="submit" busy={form.busy}>
          {form.busy ? "Deploying" : "Deploy"}
        </Button>
      </div>
      <aside>
        <Needs template={template} />
        <PlanRoom needs={template.resources} />
      </aside>
    </form>
  );
}

function Needs({ template }: { readonly template: Template }) {
  const { resources } = template;
  const account = useAccount();
  return (
    <section class="card">
      <h2>What it takes</h2>
      <dl class="facts">
        <dt>CPU</dt>
        <dd>{resources.cpu_cores} cores</dd>
        <dt>Memory</dt>
        <dd>{megabytes(resources.memory_mb)}</dd>
        <dt>Disk</dt>
        <dd>{megabytes(resources.disk_mb)}</dd>
        <dt>Price</dt>
        <dd>{money(template.price_monthly_cents)}</dd>
        <dt>Version</dt>
        <dd>
          {template.version}, revision {template.revision}
        </dd>
      </dl>
      <details>
        <summary>Compose file</summary>
        <pre tabIndex={0}>{template.compose}</pre>
      </details>
      <p>
        {template.author_id !== null && template.author_id === account.data?.user.id ? (
          <Link to={`/my-templates/${template.id}`}>Edit this template</Link>
        ) : (
          <Link to={`/my-templates/new?from=${template.id}`}>Make your own from it</Link>
        )}
      </p>
    </section>
  );
}
