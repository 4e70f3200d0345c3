import { useState } from "preact/hooks";
import { createDeployment } from "@/deployments/create";
import { Button } from "@/elements/button";
import { Field } from "@/elements/field";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { TextField } from "@/elements/text_field";
import { useSubmit } from "@/elements/use_submit";
import { useSshKeys } from "@/keys/ssh_key";
import { NotFoundPage } from "@/pages/not_found_page";
import { Link } from "@/routing/link";
import { go } from "@/routing/location";
import { assignments } from "./assignments";
import { NodeAndVisibility, type Placement, PUBLIC_ANYWHERE } from "./placement_fields";
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
  const [name, setName] = useState("");
  const [entries, setEntries] = useState(EMPTY);
  const [port, setPort] = useState("8080");
  const [environment, setEnvironment] = useState("");
  const [placement, setPlacement] = useState<Placement>(PUBLIC_ANYWHERE);
  const read = assignments(environment);
  const form = useSubmit(async () => {
    if (read.faults.length > 0) return;
    const created = await createDeployment({
      name,
      source: sourceOf(source, entries, Number(port)),
      variables: read.values,
      ...placement,
    });
    go(`/deployments/${created.id}`);
  });
  return (
    <form class="deploy-form" onSubmit={form.submit}>
      <div>
        <TextField
          label="Name"
          required
          value={name}
          onValue={setName}
          fault={form.fault("name")}
          hint="Yours alone; it becomes part of the address."
          input={{ maxLength: 100 }}
        />
        {source === "image" ? (
          <TextField
            label="Image"
            required
            value={entries.image}
            onValue={(image) => setEntries({ ...entries, image })}
            fault={form.fault("source.image")}
            hint="As you would pull it: nginx:1.27, or registry.example.com/team/app:3."
          />
        ) : (
          <GitFields entries={entries} onEntries={setEntries} fault={form.fault} />
        )}
        <TextField
          label="Port"
          required
          value={port}
          onValue={setPort}
          fault={form.fault("source.port")}
          hint="On which the app listens inside its container."
          input={{ type: "number", min: 1, max: 65535, inputMode: "numeric" }}
        />
        <Field
          label="Environment"
          hint="One NAME=value per line. Values are taken exactly as they are."
          fault={
            read.faults.length > 0
              ? `has a line that is not NAME=value: ${read.faults.join(", ")}`
              : undefined
          }
        >
          {(ties) => (
            <textarea
              {...ties}
              rows={5}
              spellcheck={false}
              value={environment}
              onInput={(event) => setEnvironment(event.currentTarget.value)}
            />
          )}
        </Field>
        <NodeAndVisibility placement={placement} onPlacement={setPlacement} />
        <ProblemNotice problem={form.problem} />
        <Button kind="primary" type="submit" busy={form.busy}>
          {form.busy ? "Deploying" : "Deploy"}
        </Button>
      </div>
      <aside>
        <PlanRoom needs={null} />
      </aside>
    </form>
  );
}

interface GitFieldsProps {
  readonly entries: SourceEntries;
  readonly onEntries: (entries: SourceEntries) => void;
  readonly fault: (field: string) => string | undefined;
}

function GitFields({ entries, onEntries, fault }: GitFieldsProps) {
  const keys = useSshKeys();
  return (
    <>
      <TextField
        label="Repository"
        required
        value={entries.url}
        onValue={(url) => onEntries({ ...entries, url })}
        fault={fault("source.git.url")}
        hint="https://… or git@host:path"
      />
      <TextField
        label="Branch, tag or commit"
        required
        value={entries.ref}
        onValue={(ref) => onEntries({ ...entries, ref })}
        fault={fault("source.git.ref")}
      />
      <Field
        label="SSH key"
        fault={fault("source.git.ssh_key_id")}
        hint={
          <>
            For a private repository. <Link to="/ssh-keys">Your SSH keys</Link>
          </>
        }
      >
        {(ties) => (
          <select
            {...ties}
            value={entries.keyId}
            onChange={(event) => onEntries({ ...entries, keyId: event.currentTarget.value })}
          >
            <option value="">None: the repository is public</option>
            {(keys.data ?? []).map((key) => (
              <option key={key.id} value={key.id}>
                {key.name}
              </option>
            ))}
          </select>
        )}
      </Field>
    </>
  );
}

function sourceOf(source: "image" | "git", entries: SourceEntries, port: number) {
  if (source === "image") return { image: entries.image.trim(), port };
  const git = { url: entries.url.trim(), ref: entries.ref.trim() };
  return { git: entries.keyId === "" ? git : { ...git, ssh_key_id: entries.keyId }, port };
}
