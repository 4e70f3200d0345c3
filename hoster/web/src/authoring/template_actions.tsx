import { useQueryClient } from "@tanstack/preact-query";
import { Button } from "@/elements/button";
import { Confirmation } from "@/elements/confirmation";
import { DialogButton } from "@/elements/dialog_button";
import { ProblemNotice } from "@/elements/problem_notice";
import { useSubmit } from "@/elements/use_submit";
import { Link } from "@/routing/link";
import { request } from "@/session/request";
import type { Template } from "@/templates/template";
import { templatePath } from "./own_template";

interface TemplateActionsProps {
  readonly template: Template;
  /** Instead of staying, where the template was shown by itself. */
  readonly onDeleted?: () => void;
}

export function TemplateActions({ template, onDeleted }: TemplateActionsProps) {
  const queries = useQueryClient();
  const reload = () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: ["templates"] }),
      queries.invalidateQueries({ queryKey: ["own-template", template.id] }),
      queries.invalidateQueries({ queryKey: ["template", template.id] }),
    ]);
  const publication = useSubmit(async () => {
    await request(`${templatePath(template.id)}/${template.published ? "unpublish" : "publish"}`, {
      method: "POST",
    });
    await reload();
  });
  const remove = async () => {
    await request(templatePath(template.id), { method: "DELETE" });
    onDeleted?.();
    void queries.invalidateQueries({ queryKey: ["templates"] });
  };
  return (
    <>
      <div class="row">
        <Link class="button is-plain is-small" to={`/templates/${template.id}`}>
          Deploy
        </Link>
        <Button
          small
          busy={publication.busy}
          onClick={() => publication.submit()}
          label={`${template.published ? "Unpublish" : "Publish"} ${template.name}`}
        >
          {template.published ? "Unpublish" : "Publish"}
        </Button>
        <DialogButton small verb="Delete" label={`Delete ${template.name}`}>
          {(close) => (
            <Confirmation title={`Delete ${template.name}?`} verb="Delete" onClose={close} onConfirm={remove}>
              <p>
                Nobody can deploy it any more, and it cannot be brought back. Apps that were made from it go
                on running, with the revision that they have.
              </p>
            </Confirmation>
          )}
        </DialogButton>
        <span class="muted">
          {template.published ? "Everybody here can see and deploy it." : "Nobody but you can see it."}
        </span>
      </div>
      <ProblemNotice problem={publication.problem} />
    </>
  );
}
