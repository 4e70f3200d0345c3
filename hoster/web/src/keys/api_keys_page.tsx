import { DialogButton } from "@/elements/dialog_button";
import { Empty } from "@/elements/empty";
import { Listed } from "@/elements/listed";
import { Moment } from "@/elements/moment";
import { PageHeading } from "@/elements/page_heading";
import { Removal } from "@/elements/removal";
import { StateBadge } from "@/elements/state_badge";
import { Table } from "@/elements/table";
import { useList } from "@/session/use_list";
import { NewApiKeyDialog } from "./new_api_key_dialog";

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly created_at: string;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
}

export default function ApiKeysPage() {
  const keys = useList<ApiKey>(["api-keys"], "/mod/keys");
  return (
    <>
      <PageHeading
        title="API keys"
        lead="For programs that work in your name. They may deploy and delete; they cannot make keys."
      >
        <DialogButton kind="primary" verb="Create a key">
          {(close) => <NewApiKeyDialog onClose={close} />}
        </DialogButton>
      </PageHeading>
      <Listed query={keys} empty={<NoKey />}>
        {(items) => (
          <Table caption="API keys" columns={["Name", "Begins with", "Created", "Last used", "Expires", ""]}>
            {items.map((key) => (
              <KeyRow key={key.id} apiKey={key} />
            ))}
          </Table>
        )}
      </Listed>
    </>
  );
}

function NoKey() {
  return (
    <Empty title="No key yet">
      <p>
        Create one for your CI or a script, and send it with each request as{" "}
        <code>Authorization: Bearer …</code>
      </p>
    </Empty>
  );
}

function KeyRow({ apiKey }: { readonly apiKey: ApiKey }) {
  return (
    <tr>
      <td class="wrap">{apiKey.name}</td>
      <td>
        <code>{apiKey.prefix}…</code>
      </td>
      <td data-column="Created">
        <Moment at={apiKey.created_at} />
      </td>
      <td data-column="Last used">
        <Moment at={apiKey.last_used_at} />
      </td>
      <td data-column="Expires">
        {isOver(apiKey) && <StateBadge state="expired" />} <Moment at={apiKey.expires_at} />
      </td>
      <td>
        <Removal
          verb="Revoke"
          name={apiKey.name}
          path={`/mod/keys/${encodeURIComponent(apiKey.id)}`}
          stale={["api-keys"]}
        >
          <p>Whatever uses it is refused from now on. It cannot be brought back.</p>
        </Removal>
      </td>
    </tr>
  );
}

function isOver({ expires_at }: ApiKey): boolean {
  return expires_at !== null && Date.parse(expires_at) <= Date.now();
}
