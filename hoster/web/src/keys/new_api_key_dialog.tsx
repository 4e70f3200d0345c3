import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { CopyText } from "@/elements/copy_text";
import { Dialog } from "@/elements/dialog";
import { DialogForm, DialogResult } from "@/elements/dialog_form";
import { NameField } from "@/elements/name_field";
import { TextField } from "@/elements/text_field";
import { useForm } from "@/elements/use_form";
import { Problem } from "@/problems/problem";
import { request } from "@/session/request";

export function NewApiKeyDialog({ onClose }: { readonly onClose: () => void }) {
  const [key, setKey] = useState<string | null>(null);
  return (
    <Dialog title={key === null ? "Create an API key" : "Your new API key"} onClose={onClose}>
      {key === null ? (
        <NewKeyForm onKey={setKey} onCancel={onClose} />
      ) : (
        <DialogResult verb="I have it" onClose={onClose}>
          <p>Copy it now: it is shown this once.</p>
          <CopyText text={key} label="the API key" />
        </DialogResult>
      )}
    </Dialog>
  );
}

interface NewKeyFormProps {
  readonly onKey: (key: string) => void;
  readonly onCancel: () => void;
}

function NewKeyForm({ onKey, onCancel }: NewKeyFormProps) {
  const queries = useQueryClient();
  const form = useForm({ name: "", until: "" }, async ({ name, until }) => {
    const body = until === "" ? { name } : { name, expires_at: new Date(`${until}T23:59:59`).toISOString() };
    try {
      const made = await request<{ key: string }>("/mod/keys", { method: "POST", body });
      onKey(made.key);
    } finally {
      // Also after a failure: a key whose answer was lost stands in the list, and can be revoked there.
      void queries.invalidateQueries({ queryKey: ["api-keys"] });
    }
  });
  return (
    <DialogForm form={form} verb="Create" onCancel={onCancel}>
      <NameField {...form.field("name")} hint="What uses it, such as “CI of the shop”." />
      <TextField
        label="Last day"
        {...form.field("until", "expires_at")}
        hint="Left empty, it does not expire."
        input={{ type: "date" }}
      />
      {form.problem instanceof Problem && form.problem.status === 0 && (
        <p class="hint">
          Should the answer alone have been lost, the key is in the list when this is closed: revoke it, since
          nobody has seen it.
        </p>
      )}
    </DialogForm>
  );
}
