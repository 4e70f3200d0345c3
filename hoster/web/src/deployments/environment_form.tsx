import { Button } from "@/elements/button";
import { ProblemNotice } from "@/elements/problem_notice";
import { useSubmit } from "@/elements/use_submit";
import { useUnsaved } from "@/routing/unsaved";
import { useKept } from "@/session/use_kept";
import { type Deployment, isMoving } from "./deployment";
import { environmentChanges } from "./variable_changes";
import { useSaving } from "./variables_tab";

interface Row {
  readonly name: string;
  readonly value: string;
  readonly isNew: boolean;
}

/** The environment of a deployment without a template: any names, each value exactly as entered. */
export function EnvironmentForm({ deployment }: { readonly deployment: Deployment }) {
  const [rows, setRows, edited] = useKept<readonly Row[]>("rows", () =>
    Object.entries(deployment.variables).map(([name, value]) => ({
      name,
      value: String(value),
      isNew: false,
    })),
  );
  const named = rows.filter((row) => row.name.trim() !== "");
  useUnsaved(edited && Object.keys(environmentChanges(deployment.variables, named)).length > 0);
  const save = useSaving(deployment);
  const form = useSubmit(async () => {
    await save(environmentChanges(deployment.variables, named));
    setRows(named.map((row) => ({ ...row, isNew: false })));
  });
  const change = (index: number, fields: Partial<Row>) =>
    setRows(rows.map((row, at) => (at === index ? { ...row, ...fields } : row)));
  return (
    <form onSubmit={form.submit}>
      <ul class="environment">
        {rows.map((row, index) => (
          <li key={index}>
            <input
              aria-label={`Name of variable ${index + 1}`}
              placeholder="NAME"
              pattern="[A-Za-z_][A-Za-z0-9_]*"
              required
              readOnly={!row.isNew}
              value={row.name}
              onInput={(event) => change(index, { name: event.currentTarget.value })}
            />
            <textarea
              aria-label={`Value of ${row.name || `variable ${index + 1}`}`}
              rows={row.value.split("\n").length}
              spellcheck={false}
              value={row.value}
              onInput={(event) => change(index, { value: event.currentTarget.value })}
            />
            <Button
              small
              onClick={() => setRows(rows.filter((_, at) => at !== index))}
              label={`Remove ${row.name}`}
            >
              ✕
            </Button>
          </li>
        ))}
      </ul>
      <ProblemNotice problem={form.problem} />
      <p class="row">
        <Button onClick={() => setRows([...rows, { name: "", value: "", isNew: true }])}>
          Add a variable
        </Button>
        <Button type="submit" kind="primary" busy={form.busy} disabled={isMoving(deployment)}>
          Save
        </Button>
      </p>
    </form>
  );
}
