import { useQueryClient } from "@tanstack/preact-query";
import { CopyText } from "@/elements/copy_text";
import { Dialog } from "@/elements/dialog";
import { DialogButton } from "@/elements/dialog_button";
import { DialogForm } from "@/elements/dialog_form";
import { Empty } from "@/elements/empty";
import { Listed } from "@/elements/listed";
import { Moment } from "@/elements/moment";
import { NameField } from "@/elements/name_field";
import { PageHeading } from "@/elements/page_heading";
import { Removal } from "@/elements/removal";
import { TextArea } from "@/elements/text_area";
import { useForm } from "@/elements/use_form";
import { request } from "@/session/request";
import { type SshKey, useSshKeys } from "./ssh_key";

export default function SshKeysPage() {
  const keys = useSshKeys();
  return (
    <>
      <PageHeading
        title="SSH keys"
        lead="For private git repositories, and for machines that the platform installs."
      >
        <DialogButton kind="primary" verb="Add a key">
          {(close) => <NewKeyDialog onClose={close} />}
        </DialogButton>
      </PageHeading>
      <Listed query={keys} empty={<NoKey />}>
        {(items) => (
          <ul class="plain-list">
            {items.map((key) => (
              <KeyCard key={key.id} sshKey={key} />
            ))}
          </ul>
        )}
      </Listed>
    </>
  );
}

function NoKey() {
  return (
    <Empty title="No key yet">
      <p>
        Add one and put its public half where it shall open something: as a deploy key of a repository, or
        into a machine's <code>authorized_keys</code>. The private half never leaves the platform.
      </p>
    </Empty>
  );
}

function KeyCard({ sshKey }: { readonly sshKey: SshKey }) {
  return (
    <li class="card">
      <div class="row">
        <h2>{sshKey.name}</h2>
        <span class="muted">
          added <Moment at={sshKey.created_at} />
        </span>
        <span class="spacer" />
        <Removal
          verb="Delete"
          name={sshKey.name}
          path={`/api/v1/ssh_keys/${encodeURIComponent(sshKey.id)}`}
          stale={["ssh-keys"]}
        >
          <p>Its private half is lost for good. A key in use by a deployment cannot be deleted.</p>
        </Removal>
      </div>
      <CopyText text={sshKey.public_key} label={`the public key ${sshKey.name}`} />
      <p class="muted">
        <code>{sshKey.fingerprint}</code>
      </p>
    </li>
  );
}

function NewKeyDialog({ onClose }: { readonly onClose: () => void }) {
  const queries = useQueryClient();
  const form = useForm({ name: "", privateKey: "" }, async ({ name, privateKey }) => {
    const body = privateKey.trim() === "" ? { name } : { name, private_key: privateKey };
    await request("/api/v1/ssh_keys", { method: "POST", body });
    await queries.invalidateQueries({ queryKey: ["ssh-keys"] });
    onClose();
  });
  return (
    <Dialog title="Add an SSH key" onClose={onClose}>
      <DialogForm form={form} verb="Add" onCancel={onClose}>
        <NameField {...form.field("name")} />
        <TextArea
          label="Private key"
          {...form.field("privateKey", "private_key")}
          hint="Left empty, a new Ed25519 pair is made. A key of your own must be without passphrase; it is stored encrypted and never shown."
          area={{ rows: 5, spellcheck: false, autocomplete: "off" }}
        />
      </DialogForm>
    </Dialog>
  );
}
