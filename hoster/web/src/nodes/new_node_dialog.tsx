import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { CopyText } from "@/elements/copy_text";
import { Dialog } from "@/elements/dialog";
import { DialogForm, DialogResult } from "@/elements/dialog_form";
import { NameField } from "@/elements/name_field";
import { StateBadge } from "@/elements/state_badge";
import { TextField } from "@/elements/text_field";
import { useForm } from "@/elements/use_form";
import { request } from "@/session/request";
import {
  EMPTY_INSTALLATION,
  type Installation,
  InstallationFields,
  installationBody,
} from "./installation_fields";
import { type NewNode, useNodesComing } from "./node";

export function NewNodeDialog({ onClose }: { readonly onClose: () => void }) {
  const [made, setMade] = useState<NewNode | null>(null);
  return (
    <Dialog title={made === null ? "Add a node" : `Let ${made.name} join`} onClose={onClose}>
      {made === null ? (
        <NewNodeForm onMade={setMade} onCancel={onClose} />
      ) : (
        <JoinCommand node={made} onClose={onClose} />
      )}
    </Dialog>
  );
}

interface NewNodeFormProps {
  readonly onMade: (node: NewNode) => void;
  readonly onCancel: () => void;
}

function NewNodeForm({ onMade, onCancel }: NewNodeFormProps) {
  const queries = useQueryClient();
  const [installation, setInstallation] = useState<Installation>(EMPTY_INSTALLATION);
  const form = useForm({ name: "", location: "" }, async ({ name, location }) => {
    const body = { name: name.trim(), location: location.trim(), ...installationBody(installation) };
    onMade(await request<NewNode>("/api/v1/nodes", { method: "POST", body }));
    await queries.invalidateQueries({ queryKey: ["nodes"] });
  });
  return (
    <DialogForm form={form} verb="Add" onCancel={onCancel}>
      <NameField {...form.field("name")} />
      <TextField
        label="Location"
        {...form.field("location")}
        hint="Such as a city; only to tell nodes apart."
        input={{ maxLength: 100 }}
      />
      <InstallationFields installation={installation} onInstallation={setInstallation} fault={form.fault} />
    </DialogForm>
  );
}

function JoinCommand({ node, onClose }: { readonly node: NewNode; readonly onClose: () => void }) {
  const nodes = useNodesComing();
  const status = nodes.data?.find((one) => one.id === node.id)?.status ?? node.status;
  return (
    <DialogResult verb="Done" onClose={onClose}>
      <p>Run this on the machine, in the platform's folder. The token works once and is not shown again.</p>
      <CopyText text={node.join_command} label="the join command" />
      <p class="row" role="status">
        <StateBadge state={status} />
        {status === "joining" ? "Waiting for it to join." : "It has joined."}
      </p>
    </DialogResult>
  );
}
