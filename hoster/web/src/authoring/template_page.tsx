import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Loaded } from "@/elements/loaded";
import { PageHeading } from "@/elements/page_heading";
import { StateBadge } from "@/elements/state_badge";
import { together } from "@/elements/together";
import { Link } from "@/routing/link";
import { go, useLocation } from "@/routing/location";
import { useAccount } from "@/session/account";
import { exchange } from "@/session/request";
import { bodyOf, copyOf, type Draft, draftOf, NEW_DRAFT } from "./draft";
import { type Tagged, tagged, templatePath, useTaggedTemplate } from "./own_template";
import { TemplateActions } from "./template_actions";
import { TemplateForm } from "./template_form";

/** One template of one's own, or a new one: empty, or from another. */
export default function TemplatePage({ id }: { readonly id: string }) {
  return id === "new" ? <NewTemplate /> : <OwnTemplate id={id} />;
}

function NewTemplate() {
  const from = useLocation().searchParams.get("from");
  const origin = useTaggedTemplate(from);
  return (
    <>
      <PageHeading
        title="New template"
        lead="It becomes a draft, which nobody but you can see and deploy until you publish it."
      />
      {from === null ? (
        <NewForm draft={NEW_DRAFT} />
      ) : (
        <Loaded query={origin} lines={12}>
          {({ template }) => <NewForm key={template.id} draft={copyOf(template)} />}
        </Loaded>
      )}
    </>
  );
}

function NewForm({ draft }: { readonly draft: Draft }) {
  const queries = useQueryClient();
  const save = async (written: Draft) => {
    const made = await tagged(exchange("/api/v1/templates", { method: "POST", body: bodyOf(written) }));
    queries.setQueryData(["own-template", made.template.id], made);
    void queries.invalidateQueries({ queryKey: ["templates"] });
    go(`/my-templates/${made.template.id}`, { replace: true });
    return made.etag;
  };
  return <TemplateForm draft={draft} verb="Save the draft" onSave={save} />;
}

function OwnTemplate({ id }: { readonly id: string }) {
  const found = useTaggedTemplate(id);
  const account = useAccount();
  return (
    <>
      <PageHeading
        title={found.data?.template.name ?? "Template"}
        lead="Saving makes a new revision. What was deployed before stays at its own until it is redeployed."
      >
        <Link class="button is-plain" to="/my-templates">
          Your templates
        </Link>
      </PageHeading>
      <Loaded query={together({ found, account })} lines={12}>
        {({ found: one, account: me }) =>
          one.template.author_id !== me.user.id ? (
            <Foreign id={id} />
          ) : (
            <>
              <p class="row">
                <StateBadge state={one.template.published ? "published" : "draft"} />
                <span class="muted">revision {one.template.revision}</span>
              </p>
              <TemplateActions template={one.template} onDeleted={() => go("/my-templates")} />
              <Revision key={one.template.id} opened={one} />
            </>
          )
        }
      </Loaded>
    </>
  );
}

function Foreign({ id }: { readonly id: string }) {
  return (
    <p class="notice">
      Somebody else wrote this template, so only they can change it.{" "}
      <Link to={`/my-templates/new?from=${id}`}>Make your own from it</Link>, or{" "}
      <Link to={`/templates/${id}`}>deploy it as it is</Link>.
    </p>
  );
}

/** The tag is that of the state which the form began with: what somebody else saved meanwhile is not written over. */
function Revision({ opened }: { readonly opened: Tagged }) {
  const queries = useQueryClient();
  const [draft] = useState(() => draftOf(opened.template));
  const [saved, setSaved] = useState<number | null>(null);
  const { id } = opened.template;
  const save = async (written: Draft, etag: string) => {
    setSaved(null);
    const made = await tagged(
      exchange(templatePath(id), {
        method: "PATCH",
        body: bodyOf(written),
        headers: { "If-Match": etag },
      }),
    );
    setSaved(made.template.revision);
    queries.setQueryData(["own-template", id], made);
    void queries.invalidateQueries({ queryKey: ["templates"] });
    void queries.invalidateQueries({ queryKey: ["template", id] });
    return made.etag;
  };
  return (
    <TemplateForm
      draft={draft}
      etag={opened.etag}
      verb="Save as a new revision"
      onSave={save}
      said={saved === null ? "" : `Saved as revision ${saved}.`}
    />
  );
}
