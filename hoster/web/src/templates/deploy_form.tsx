import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { createDeployment } from "@/deployments/create";
import { Button } from "@/elements/button";
import { NameField } from "@/elements/name_field";
import { ProblemNotice } from "@/elements/problem_notice";
import { useSubmit } from "@/elements/use_submit";
import { go } from "@/routing/location";
import { useUnsaved } from "@/routing/unsaved";
import { useKept } from "@/session/use_kept";
import { type Placement, PlacementFields, PUBLIC_ANYWHERE } from "./placement_fields";

interface DeployFormProps {
  /** What it is called unless the person calls it something else. */
  readonly firstName: string;
  /** What is deployed, with its variables; null while something that was filled in is wrong. */
  readonly what: () => object | null;
  /** The fields that say what. */
  readonly fields: (fault: (field: string) => string | undefined) => ComponentChildren;
  readonly aside: ComponentChildren;
}

/** What every deployment is asked for, around what only this kind is; then the way to its page. */
export function DeployForm({ firstName, what, fields, aside }: DeployFormProps) {
  const [name, setName] = useKept("name", () => firstName);
  const [placement, setPlacement] = useKept<Placement>("placement", () => PUBLIC_ANYWHERE);
  const [touched, setTouched] = useState(false);
  useUnsaved(touched);
  const form = useSubmit(async () => {
    const chosen = what();
    if (chosen === null) return;
    const created = await createDeployment({ name, ...chosen, ...placement });
    go(`/deployments/${created.id}`);
  });
  return (
    <form class="deploy-form" onSubmit={form.submit} onInput={() => setTouched(true)}>
      <div>
        <NameField
          value={name}
          onValue={setName}
          hint="Yours alone; it becomes part of the address."
          fault={form.fault("name")}
        />
        {fields(form.fault)}
        <PlacementFields placement={placement} onPlacement={setPlacement} />
        <ProblemNotice problem={form.problem} />
        <Button kind="primary" type="submit" busy={form.busy}>
          {form.busy ? "Deploying" : "Deploy"}
        </Button>
      </div>
      <aside>{aside}</aside>
    </form>
  );
}
