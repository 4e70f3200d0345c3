import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { CopyText } from "@/elements/copy_text";
import { Dialog } from "@/elements/dialog";
import { ProblemNotice } from "@/elements/problem_notice";
import { TextField } from "@/elements/text_field";
import { useSubmit } from "@/elements/use_submit";
import { request } from "@/session/request";

export function NewApiKeyDialog({ onClose }: { readonly onClose: () => void }) {
  const [key, setKey] = useState<string | null>(null);
  return (
    <Dialog title={key === null ? "Create an API key" : "Your new API key"} onClose={onClose}>
      {key === null ? (
        <NewKeyForm onKey={setKey} onClose={onClose} />
      ) : (
        <ShownOnce apiKey={key} onClose={onClose} />
      )}
    </Dialog>
  );
}

interface NewKeyFormProps {
  readonly onKey: (key: string) => void;
  readonly onClose: () => void;
}

function NewKeyForm({ onKey, onClose }: NewKeyFormProps) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [until, setUntil] = useState("");
  const form = useSubmit(async () => {
    const body = until === "" ? { name } : { name, expires_at: new Date(`${until}T23:59:59`).toISOString() };
    const made = await request<{ key: string }>("/mod/keys", { method: "POST", body });
    onKey(made.key);
    await queries.invalidateQueries({ queryKey: ["api-keys"] });
  });
  return (
    <form onSubmit={form.submit}>
      <div class="dialog-body">
        <TextField
          label="Name"
          required
          value={name}
          onValue={setName}
          hint="What uses it, such as “CI of the shop”."
          fault={form.fault("name")}
          input={{ maxLength: 100 }}
        />
        <TextField
          label="Last day"
          value={until}
          onValue={setUntil}
          hint="Left empty, it does not expire."
          fault={form.fault("expires_at")}
          input={{ type: "date" }}
        />
        <ProblemNotice problem={form.problem} />
      </div>
      <div class="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" type="submit" busy={form.busy}>
          Create
        </Button>
      </div>
    </form>
  );
}

function ShownOnce({ apiKey, onClose }: { readonly apiKey: string; readonly onClose: () => void }) {
  return (
    <>
      <div class="dialog-body">
        <p>Copy it now: it is shown this once.</p>
        <CopyText text={apiKey} label="the API key" />
      </div>
      <div class="dialog-foot">
        <Button kind="primary" onClick={onClose}>
          I have it
        </Button>
      </div>
    </>
  );
}
