import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { NameField } from "@/elements/name_field";
import { ProblemNotice } from "@/elements/problem_notice";
import { useSubmit } from "@/elements/use_submit";
import { useUnsaved } from "@/routing/unsaved";
import { request } from "@/session/request";
import { VisibilityField } from "@/templates/visibility_field";
import { type Deployment, pathOf } from "./deployment";
import { PendingChanges } from "./pending_changes";

export default function SettingsTab({ deployment }: { readonly deployment: Deployment }) {
  const queries = useQueryClient();
  const [name, setName] = useState(deployment.name);
  const [visibility, setVisibility] = useState(deployment.visibility);
  const changed = name !== deployment.name || visibility !== deployment.visibility;
  useUnsaved(changed);
  const form = useSubmit(async () => {
    const body = visibility === deployment.visibility ? { name } : { name, visibility };
    await request<Deployment>(pathOf(deployment.id), { method: "PATCH", body });
    await queries.invalidateQueries({ queryKey: ["deployment", deployment.id] });
  });
  return (
    <>
      <PendingChanges deployment={deployment} />
      <form class="narrow" onSubmit={form.submit}>
        <NameField
          value={name}
          onValue={setName}
          hint="The address stays as it is."
          fault={form.fault("name")}
        />
        <VisibilityField
          visibility={visibility}
          onVisibility={setVisibility}
          fault={form.fault("visibility")}
        />
        <ProblemNotice problem={form.problem} />
        <Button type="submit" kind="primary" busy={form.busy} disabled={!changed}>
          Save
        </Button>
      </form>
    </>
  );
}
