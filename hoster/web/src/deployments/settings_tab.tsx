import { useQueryClient } from "@tanstack/preact-query";
import { Button } from "@/elements/button";
import { NameField } from "@/elements/name_field";
import { ProblemNotice } from "@/elements/problem_notice";
import { useForm } from "@/elements/use_form";
import { useUnsaved } from "@/routing/unsaved";
import { request } from "@/session/request";
import { VisibilityField } from "@/templates/visibility_field";
import { type Deployment, pathOf } from "./deployment";
import { PendingChanges } from "./pending_changes";

export default function SettingsTab({ deployment }: { readonly deployment: Deployment }) {
  const queries = useQueryClient();
  const first = { name: deployment.name, visibility: deployment.visibility };
  const form = useForm(first, async ({ name, visibility }) => {
    const body = visibility === deployment.visibility ? { name } : { name, visibility };
    await request<Deployment>(pathOf(deployment.id), { method: "PATCH", body });
    await queries.invalidateQueries({ queryKey: ["deployment", deployment.id] });
  });
  const { name, visibility } = form.entries;
  const changed = name !== deployment.name || visibility !== deployment.visibility;
  useUnsaved(changed);
  return (
    <>
      <PendingChanges deployment={deployment} />
      <form class="narrow" onSubmit={form.submit}>
        <NameField {...form.field("name")} hint="The address stays as it is." />
        <VisibilityField {...form.field("visibility")} />
        <ProblemNotice problem={form.problem} />
        <Button type="submit" kind="primary" busy={form.busy} disabled={!changed}>
          Save
        </Button>
      </form>
    </>
  );
}
