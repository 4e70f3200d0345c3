import type { ComponentChildren } from "preact";
import { ChoiceField } from "@/elements/choice_field";
import { useSshKeys } from "./ssh_key";

interface SshKeyFieldProps {
  readonly keyId: string;
  readonly onKey: (id: string) => void;
  /** What it says while no key is chosen. */
  readonly none: string;
  readonly hint: ComponentChildren;
  readonly fault: string | undefined;
  readonly required?: boolean;
}

/** One of the person's SSH keys; the empty id is none. */
export function SshKeyField({ keyId, onKey, none, ...field }: SshKeyFieldProps) {
  const keys = useSshKeys();
  return (
    <ChoiceField
      label="SSH key"
      value={keyId}
      onValue={onKey}
      choices={[["", none], ...(keys.data ?? []).map((key) => [key.id, key.name] as const)]}
      {...field}
    />
  );
}
