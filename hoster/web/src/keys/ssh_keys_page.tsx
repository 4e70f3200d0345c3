import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { Confirmation } from "@/elements/confirmation";
import { CopyText } from "@/elements/copy_text";
import { Dialog } from "@/elements/dialog";
import { Empty } from "@/elements/empty";
import { Field } from "@/elements/field";
import { Loaded } from "@/elements/loaded";
import { Moment } from "@/elements/moment";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { TextField } from "@/elements/text_field";
import { useSubmit } from "@/elements/use_submit";
import { request } from "@/session/request";
import { type SshKey, useSshKeys } from "./ssh_key";

export default function SshKeysPage() {
  const keys = useSshKeys();
  const [adding, setAdding] = useState(false);
  return (
    <>
      <PageHeading
        title="SSH keys"
        lead="For private git repositories, and for machines that the platform installs."
      >
        <Button kind="primary" onClick={() => setAdding(true)}>
          Add a key
        </Button>
      </PageHeading>
      <Loaded query={keys}>
        {(items) =>
          items.length === 0 ? (
            <Empty title="No key yet">
              <p>
                Add one and put its public half where it shall open something: as a deploy key of a
                repository, or into a machine's <code>authorized_keys</code>. The private half never leaves
                the platform.
              </p>
            </Empty>
          ) : (
            <ul class="plain-list">
              {items.map((key) => (
                <KeyCard key={key.id} sshKey={key} />
              ))}
            </ul>
          )
        }
      </Loaded>
      {adding && <NewKeyDialog onClose={() => setAdding(false)} />}
    </>
  );
}

function KeyCard({ sshKey }: { readonly sshKey: SshKey }) {
  const queries = useQueryClient();
  const [removing, setRemoving] = useState(false);
  const remove = async () => {
    await request(`/api/v1/ssh_keys/${encodeURIComponent(sshKey.id)}`, { method: "DELETE" });
    await queries.invalidateQueries({ queryKey: ["ssh-keys"] });
  };
  return (
    <li class="card">
      <div class="row">
        <h2>{sshKey.name}</h2>
        <span class="muted">
          added <Moment at={sshKey.created_at} />
        </span>
        <span class="spacer" />
        <Button small onClick={() => setRemoving(true)} label={`Delete ${sshKey.name}`}>
          Delete
        </Button>
      </div>
      <CopyText text={sshKey.public_key} label={`the public key ${sshKey.name}`} />
      <p class="muted">
        <code>{sshKey.fingerprint}</code>
      </p>
      {removing && (
        <Confirmation
          title={`Delete ${sshKey.name}?`}
          verb="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={remove}
        >
          <p>Its private half is lost for good. A key in use by a deployment cannot be deleted.</p>
        </Confirmation>
      )}
    </li>
  );
}

function NewKeyDialog({ onClose }: { readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [privateKey, setPrivateKey] = useState("");
  const form = useSubmit(async () => {
    const body = privateKey.trim() === "" ? { name } : { name, private_key: privateKey };
    await request("/api/v1/ssh_keys", { method: "POST", body });
    await queries.invalidateQueries({ queryKey: ["ssh-keys"] });
    onClose();
  });
  return (
    <Dialog title="Add an SSH key" onClose={onClose}>
      <form onSubmit={form.submit}>
        <div class="dialog-body">
          <TextField
            label="Name"
            required
            value={name}
            onValue={setName}
            fault={form.fault("name")}
            input={{ maxLength: 100 }}
          />
          <Field
            label="Private key"
            hint="Left empty, a new Ed25519 pair is made. A key of your own must be without passphrase; it is stored encrypted and never shown."
            fault={form.fault("private_key")}
          >
            {(ties) => (
              <textarea
                {...ties}
                rows={5}
                spellcheck={false}
                autocomplete="off"
                value={privateKey}
                onInput={(event) => setPrivateKey(event.currentTarget.value)}
              />
            )}
          </Field>
          <ProblemNotice problem={form.problem} />
        </div>
        <div class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={form.busy}>
            Add
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
