import { useState } from "preact/hooks";
import { counted, megabytes, money } from "@/elements/amounts";
import { Empty } from "@/elements/empty";
import { Filter } from "@/elements/filter";
import { Loaded } from "@/elements/loaded";
import { PageHeading } from "@/elements/page_heading";
import { Link } from "@/routing/link";
import { categoriesOf, choose, type Template, useTemplates } from "./template";

export function GalleryPage() {
  const templates = useTemplates();
  return (
    <>
      <PageHeading title="Templates" lead="Choose what to run. Or deploy something of your own:">
        <Link class="button is-plain" to="/deploy/image">
          From an image
        </Link>
        <Link class="button is-plain" to="/deploy/git">
          From git
        </Link>
        <Link class="button is-plain" to="/my-templates">
          Your templates
        </Link>
      </PageHeading>
      <Loaded query={templates} lines={8}>
        {(all) => <Gallery templates={all} />}
      </Loaded>
    </>
  );
}

function Gallery({ templates }: { readonly templates: readonly Template[] }) {
  const [text, setText] = useState("");
  const [category, setCategory] = useState<string | null>(null);
  const chosen = choose(templates, text, category);
  return (
    <>
      <Filter
        label="Search templates"
        text={text}
        onText={setText}
        kindsLabel="Category"
        kinds={categoriesOf(templates)}
        kind={category}
        onKind={setCategory}
        found={counted(chosen.length, "template")}
      />
      {chosen.length === 0 ? (
        <Empty title="No template fits">
          <p>
            Try fewer words, or <Link to="/deploy/image">deploy an image</Link> directly.
          </p>
        </Empty>
      ) : (
        <ul class="cards">
          {chosen.map((template) => (
            <TemplateCard key={template.id} template={template} />
          ))}
        </ul>
      )}
    </>
  );
}

function TemplateCard({ template }: { readonly template: Template }) {
  const { memory_mb, cpu_cores } = template.resources;
  return (
    <li class="card template-card">
      <span class="monogram" aria-hidden="true">
        {template.name.slice(0, 2)}
      </span>
      <h2>
        <Link to={`/templates/${template.id}`}>{template.name}</Link>
      </h2>
      <p>{template.description || "Without a description."}</p>
      <p class="card-foot">
        <span class="row">
          <span class="tag">{template.category}</span>
          {!template.published && <span class="tag">your draft</span>}
        </span>
        <span>
          {cpu_cores} CPU · {megabytes(memory_mb)} · {money(template.price_monthly_cents)}
        </span>
      </p>
    </li>
  );
}
