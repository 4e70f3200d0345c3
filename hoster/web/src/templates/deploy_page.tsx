import { useState } from "preact/hooks";
import { counted, megabytes, money } from "@/elements/amounts";
import { Loaded } from "@/elements/loaded";
import { PageHeading } from "@/elements/page_heading";
import { Link } from "@/routing/link";
import { useAccount } from "@/session/account";
import { useKept } from "@/session/use_kept";
import { DeployForm } from "./deploy_form";
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
        {(found) => <TemplateForm key={found.id} template={found} />}
      </Loaded>
    </>
  );
}

function TemplateForm({ template }: { readonly template: Template }) {
  const { variables } = template;
  const [entries, setEntries] = useKept("entries", () => initialEntries(variables));
  const [tried, setTried] = useState(false);
  const faults = tried ? faultsOf(variables, entries) : {};
  const what = () => {
    setTried(true);
    if (Object.keys(faultsOf(variables, entries)).length > 0) return null;
    return { template_id: template.id, variables: valuesOf(variables, entries) };
  };
  return (
    <DeployForm
      firstName={template.name.toLowerCase().replace(/\s+/g, "-")}
      what={what}
      fields={(fault) =>
        variables.map((variable) => (
          <VariableField
            key={variable.name}
            variable={variable}
            entry={entries[variable.name] ?? ""}
            fault={faults[variable.name] ?? fault(`variables.${variable.name}`)}
            onEntry={(entry) => setEntries({ ...entries, [variable.name]: entry })}
            emptyPassword="Generate one here and keep it: later it is shown as *** only. Left empty, one is generated that nobody sees."
          />
        ))
      }
      aside={
        <>
          <Needs template={template} />
          <PlanRoom needs={template.resources} />
        </>
      }
    />
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
        <dd>{counted(resources.cpu_cores, "core")}</dd>
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
