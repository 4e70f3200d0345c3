import { useList } from "@/session/use_list";

export interface SshKey {
  readonly id: string;
  readonly name: string;
  readonly public_key: string;
  readonly fingerprint: string;
  readonly created_at: string;
}

export function useSshKeys() {
  return useList<SshKey>(["ssh-keys"], "/api/v1/ssh_keys?limit=200");
}
