import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { ProblemNotice } from "@/elements/problem_notice";
import { TextArea } from "@/elements/text_area";
import { TextField } from "@/elements/text_field";
import { fieldsOf } from "@/elements/use_form";
import { useSubmit } from "@/elements/use_submit";
import { Problem } from "@/problems/problem";
import { useUnsaved } from "@/routing/unsaved";
import { useKept } from "@/session/use_kept";
import { ComposeField } from "./compose_field";
import { ComposeRules } from "./compose_rules";
import type { Draft } from "./draft";
import { ResourceFields } from "./resource_fields";
import { VariablesEditor } from "./variables_editor";

interface TemplateFormProps {
  readonly draft: Draft;
  /** Of the state that `draft` was read from, so that nobody's change is written over; empty for a new one. */
  readonly etag?: string;
  readonly verb: string;
  /** Returns the tag of what was saved. */
  readonly onSave: (draft: Draft, etag: string) => Promise<string>;
  /** What became of the last saving. */
  readonly said?: string;
}

export function TemplateForm({ draft: first, etag = "", verb, onSave, said = "" }: TemplateFormProps) {
  const [{ draft, readFrom }, setWritten] = useKept("template", () => ({ draft: first, readFrom: etag }));
  const [saved, setSaved] = useState(first);
  const change = (fields: Partial<Draft>) => setWritten({ draft: { ...draft, ...fields }, readFrom });
  const form = useSubmit(async () => {
    setWritten({ draft, readFrom: await onSave(draft, readFrom) });
    setSaved(draft);
  });
  useUnsaved(draft !== saved);
  const field = fieldsOf(draft, change, form.fault);
  const problem = form.problem instanceof Problem ? form.problem : null;
  return (
    <form class="deploy-form template-form" onSubmit={form.submit}>
      <div>
        <TextField label="Name" required {...field("name")} input={{ minLength: 3, maxLength: 100 }} />
        <TextArea
          label="Description"
          {...field("description")}
          hint="What it is, for who chooses from the gallery."
          area={{ class: "is-prose", rows: 2, maxLength: 4000 }}
        />
        <ComposeField
          compose={draft.compose}
          onCompose={(compose) => change({ compose })}
          problem={problem}
        />
        <VariablesEditor
          variables={draft.variables}
          onVariables={(variables) => change({ variables })}
          problem={problem}
        />
        <ProblemNotice problem={form.problem} />
        <p class="row">
          <Button kind="primary" type="submit" busy={form.busy}>
            {verb}
          </Button>
          <span role="status">{draft === saved ? said : "Not saved yet."}</span>
        </p>
      </div>
      <aside>
        <ResourceFields draft={draft} onChange={change} fault={form.fault} />
        <ComposeRules />
      </aside>
    </form>
  );
}
