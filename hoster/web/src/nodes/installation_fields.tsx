import { TextField } from "@/elements/text_field";
import { fieldsOf } from "@/elements/use_form";
import { useSshKeys } from "@/keys/ssh_key";
import { SshKeyField } from "@/keys/ssh_key_field";
import { Link } from "@/routing/link";

/** How the platform reaches a machine on which it installs the worker itself. */
export interface Installation {
  readonly wanted: boolean;
  readonly host: string;
  readonly port: string;
  readonly user: string;
  readonly keyId: string;
  readonly hostKey: string;
}

export const EMPTY_INSTALLATION: Installation = {
  wanted: false,
  host: "",
  port: "22",
  user: "root",
  keyId: "",
  hostKey: "",
};

export function installationBody(installation: Installation): object {
  if (!installation.wanted) return {};
  const { host, port, user, keyId, hostKey } = installation;
  const ssh = { host: host.trim(), port: Number(port), user: user.trim(), ssh_key_id: keyId };
  return { ssh: hostKey.trim() === "" ? ssh : { ...ssh, host_key: hostKey.trim() } };
}

interface InstallationFieldsProps {
  readonly installation: Installation;
  readonly onInstallation: (installation: Installation) => void;
  readonly fault: (field: string) => string | undefined;
}

export function InstallationFields(props: InstallationFieldsProps) {
  const { installation, onInstallation } = props;
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          checked={installation.wanted}
          onChange={(event) => onInstallation({ ...installation, wanted: event.currentTarget.checked })}
        />
        Install it for me over SSH
      </label>
      {installation.wanted && <MachineFields {...props} />}
    </>
  );
}

/** How to log in to the machine. */
export function MachineFields({ installation, onInstallation, fault }: InstallationFieldsProps) {
  const keys = useSshKeys();
  const field = fieldsOf(installation, (fields) => onInstallation({ ...installation, ...fields }), fault);
  return (
    <>
      <TextField label="Host" required {...field("host", "ssh.host")} />
      <TextField
        label="Port"
        required
        {...field("port", "ssh.port")}
        input={{ type: "number", min: 1, max: 65535 }}
      />
      <TextField label="User" required {...field("user", "ssh.user")} />
      <SshKeyField
        keyId={installation.keyId}
        onKey={field("keyId").onValue}
        none="Choose one"
        required
        fault={fault("ssh.ssh_key_id")}
        hint={
          keys.data?.length === 0 ? (
            <>
              You have none yet. <Link to="/ssh-keys">Add one</Link> first, and put its public half into the
              user's authorized_keys.
            </>
          ) : (
            "Its public half must be in the user's authorized_keys."
          )
        }
      />
      <TextField
        label="Host key"
        {...field("hostKey", "ssh.host_key")}
        hint="Left empty, the key that the machine shows at first is kept, and no other is accepted later."
      />
    </>
  );
}
