import { useQueryClient } from "@tanstack/preact-query";
import { Button } from "@/elements/button";
import { Loaded } from "@/elements/loaded";
import { ProblemNotice } from "@/elements/problem_notice";
import { useSubmit } from "@/elements/use_submit";
import { Problem } from "@/problems/problem";
import { useUnsaved } from "@/routing/unsaved";
import { request } from "@/session/request";
import { useKept } from "@/session/use_kept";
import { type Scalar, useTemplate, type Variable } from "@/templates/template";
import { VariableField } from "@/templates/variable_field";
import { type Entries, faultsOf } from "@/templates/variable_values";
import { type Deployment, isMoving, pathOf } from "./deployment";
import { EnvironmentForm } from "./environment_form";
import { PendingChanges } from "./pending_changes";
import { changesOf, entriesOf, variablesOf } from "./variable_changes";

export default function VariablesTab({ deployment }: { readonly deployment: Deployment }) {
  return (
    <>
      <PendingChanges deployment={deployment} />
      {deployment.template_id === null ? (
        <EnvironmentForm deployment={deployment} />
      ) : (
        <OfTemplate deployment={deployment} templateId={deployment.template_id} />
      )}
    </>
  );
}

/** Saves values; they are in force after the next deploy. */
export function useSaving(deployment: Deployment) {
  const queries = useQueryClient();
  return async (variables: Readonly<Record<string, Scalar | null>>) => {
    await request<Deployment>(pathOf(deployment.id), { method: "PATCH", body: { variables } });
    await queries.invalidateQueries({ queryKey: ["deployment", deployment.id] });
  };
}

function OfTemplate({
  deployment,
  templateId,
}: {
  readonly deployment: Deployment;
  readonly templateId: string;
}) {
  const template = useTemplate(templateId);
  if (template.error instanceof Problem && template.error.code === "template_not_found") {
    return (
      <>
        <p class="notice">
          The template was withdrawn. What was deployed from it goes on, and can be changed.
        </p>
        <VariablesForm deployment={deployment} variables={variablesOf(deployment.variables)} />
      </>
    );
  }
  return (
    <Loaded query={template}>
      {(found) => <VariablesForm deployment={deployment} variables={found.variables} />}
    </Loaded>
  );
}

interface VariablesFormProps {
  readonly deployment: Deployment;
  readonly variables: readonly Variable[];
}

function VariablesForm({ deployment, variables }: VariablesFormProps) {
  const [entries, setEntries, edited] = useKept<Entries>("entries", () =>
    entriesOf(variables, deployment.variables),
  );
  const changes = changesOf(variables, entries, deployment.variables);
  const faults = faultsOf(variables, entries);
  useUnsaved(edited && Object.keys(changes).length > 0);
  const save = useSaving(deployment);
  const form = useSubmit(async () => {
    await save(changes);
    // Passwords are saved now, and no longer to be seen.
    setEntries(
      Object.fromEntries(
        variables.map(({ name, type }) => [name, type === "password" ? "" : (entries[name] ?? "")]),
      ),
    );
  });
  if (variables.length === 0) return <p class="muted">This template has no variables.</p>;
  return (
    <form class="narrow" onSubmit={form.submit}>
      {variables.map((variable) => (
        <VariableField
          key={variable.name}
          variable={variable}
          entry={entries[variable.name] ?? ""}
          fault={faults[variable.name] ?? form.fault(`variables.${variable.name}`)}
          onEntry={(entry) => setEntries({ ...entries, [variable.name]: entry })}
          emptyPassword="Left empty, the present one stays. It cannot be shown."
        />
      ))}
      <ProblemNotice problem={form.problem} />
      <Button
        type="submit"
        kind="primary"
        busy={form.busy}
        disabled={Object.keys(changes).length === 0 || Object.keys(faults).length > 0 || isMoving(deployment)}
      >
        Save
      </Button>
    </form>
  );
}
