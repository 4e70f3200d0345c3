import { PageHeading } from "@/elements/page_heading";
import { TextArea } from "@/elements/text_area";
import { TextField } from "@/elements/text_field";
import { fieldsOf } from "@/elements/use_form";
import { SshKeyField } from "@/keys/ssh_key_field";
import { NotFoundPage } from "@/pages/not_found_page";
import { Link } from "@/routing/link";
import { useKept } from "@/session/use_kept";
import { assignments } from "./assignments";
import { DeployForm } from "./deploy_form";
import { PlanRoom } from "./plan_room";

interface SourceEntries {
  readonly image: string;
  readonly url: string;
  readonly ref: string;
  readonly keyId: string;
}

const EMPTY: SourceEntries = { image: "", url: "", ref: "main", keyId: "" };

export default function DeploySourcePage({ source }: { readonly source: string }) {
  if (source !== "image" && source !== "git") return <NotFoundPage />;
  return (
    <>
      <PageHeading
        title={source === "image" ? "Deploy an image" : "Deploy from git"}
        lead={
          source === "image"
            ? "Any image that the machine can fetch. It must serve HTTP on the port you name."
            : "The repository is fetched and built with its Dockerfile. What it builds must serve HTTP on the port you name."
        }
      />
      <SourceForm key={source} source={source} />
    </>
  );
}

function SourceForm({ source }: { readonly source: "image" | "git" }) {
  const [entries, setEntries] = useKept("source", () => EMPTY);
  const [port, setPort] = useKept("port", () => "8080");
  const [environment, setEnvironment] = useKept("environment", () => "");
  const { values, faults } = assignments(environment);
  const what = () =>
    faults.length > 0 ? null : { source: sourceOf(source, entries, Number(port)), variables: values };
  return (
    <DeployForm
      firstName=""
      what={what}
      fields={(fault) => (
        <>
          {source === "image" ? (
            <TextField
              label="Image"
              required
              value={entries.image}
              onValue={(image) => setEntries({ ...entries, image })}
              fault={fault("source.image")}
              hint="As you would pull it: nginx:1.27, or registry.example.com/team/app:3."
            />
          ) : (
            <GitFields entries={entries} onEntries={setEntries} fault={fault} />
          )}
          <TextField
            label="Port"
            required
            value={port}
            onValue={setPort}
            fault={fault("source.port")}
            hint="On which the app listens inside its container. It finds the number in PORT."
            input={{ type: "number", min: 1, max: 65535, inputMode: "numeric" }}
          />
          <TextArea
            label="Environment"
            value={environment}
            onValue={setEnvironment}
            fault={faults.length > 0 ? `has a line that is not NAME=value: ${faults.join(", ")}` : undefined}
            hint="One NAME=value per line. Values are taken exactly as they are."
            area={{ rows: 5, spellcheck: false }}
          />
        </>
      )}
      aside={<PlanRoom needs={null} />}
    />
  );
}

interface GitFieldsProps {
  readonly entries: SourceEntries;
  readonly onEntries: (entries: SourceEntries) => void;
  readonly fault: (field: string) => string | undefined;
}

function GitFields({ entries, onEntries, fault }: GitFieldsProps) {
  const field = fieldsOf(entries, (fields) => onEntries({ ...entries, ...fields }), fault);
  return (
    <>
      <TextField
        label="Repository"
        required
        {...field("url", "source.git.url")}
        hint="https://… or git@host:path"
      />
      <TextField label="Branch, tag or commit" required {...field("ref", "source.git.ref")} />
      <SshKeyField
        keyId={entries.keyId}
        onKey={field("keyId").onValue}
        none="None: the repository is public"
        fault={fault("source.git.ssh_key_id")}
        hint={
          <>
            For a private repository. <Link to="/ssh-keys">Your SSH keys</Link>
          </>
        }
      />
    </>
  );
}

function sourceOf(source: "image" | "git", entries: SourceEntries, port: number) {
  if (source === "image") return { image: entries.image.trim(), port };
  const git = { url: entries.url.trim(), ref: entries.ref.trim() };
  return { git: entries.keyId === "" ? git : { ...git, ssh_key_id: entries.keyId }, port };
}
