import { Empty } from "@/elements/empty";
import { Loaded } from "@/elements/loaded";
import { PageHeading } from "@/elements/page_heading";
import { StateBadge } from "@/elements/state_badge";
import { together } from "@/elements/together";
import { Link } from "@/routing/link";
import { useAccount } from "@/session/account";
import { type Template, useTemplates } from "@/templates/template";
import { TemplateActions } from "./template_actions";

export default function OwnTemplatesPage() {
  const templates = useTemplates();
  const account = useAccount();
  return (
    <>
      <PageHeading
        title="Your templates"
        lead="A template is a compose file with a form in front. A draft is for you alone; a published one is for everybody here."
      >
        <Link class="button is-primary" to="/my-templates/new">
          New template
        </Link>
      </PageHeading>
      <Loaded query={together({ templates, account })} lines={6}>
        {({ templates: all, account: { user } }) => (
          <Own templates={all.filter((template) => template.author_id === user.id)} />
        )}
      </Loaded>
    </>
  );
}

function Own({ templates }: { readonly templates: readonly Template[] }) {
  if (templates.length === 0) {
    return (
      <Empty title="You have written no template yet">
        <p>
          Begin with <Link to="/my-templates/new">an empty one</Link>, or open one of the{" "}
          <Link to="/templates">gallery</Link> and make your own from it.
        </p>
      </Empty>
    );
  }
  return (
    <ul class="plain-list">
      {templates.map((template) => (
        <li key={template.id} class="card">
          <div class="row">
            <h2>
              <Link to={`/my-templates/${template.id}`}>{template.name}</Link>
            </h2>
            <StateBadge state={template.published ? "published" : "draft"} />
            <span class="muted">
              version {template.version}, revision {template.revision}
            </span>
          </div>
          <p class="muted">{template.description}</p>
          <TemplateActions template={template} />
        </li>
      ))}
    </ul>
  );
}
