import { TextField } from "@/elements/text_field";
import type { Draft } from "./draft";

interface ResourceFieldsProps {
  readonly draft: Draft;
  readonly onChange: (fields: Partial<Draft>) => void;
  readonly fault: (field: string) => string | undefined;
}

/** What it reserves, and how it is found. */
export function ResourceFields({ draft, onChange, fault }: ResourceFieldsProps) {
  const number = (min: number, step: string) =>
    ({ type: "number", min, step, inputMode: "decimal" }) as const;
  return (
    <section class="card" aria-label="What it takes and how it is found">
      <TextField
        label="CPU cores"
        required
        value={draft.cpuCores}
        onValue={(cpuCores) => onChange({ cpuCores })}
        fault={fault("resources.cpu_cores")}
        hint="Reserved for all its services together, out of the plan of who deploys it."
        input={number(0.01, "0.01")}
      />
      <TextField
        label="Memory in MB"
        required
        value={draft.memoryMb}
        onValue={(memoryMb) => onChange({ memoryMb })}
        fault={fault("resources.memory_mb")}
        input={number(16, "1")}
      />
      <TextField
        label="Disk in MB"
        required
        value={draft.diskMb}
        onValue={(diskMb) => onChange({ diskMb })}
        fault={fault("resources.disk_mb")}
        input={number(1, "1")}
      />
      <TextField
        label="Price a month"
        required
        value={draft.price}
        onValue={(price) => onChange({ price })}
        fault={fault("price_monthly_cents")}
        hint="Shown in the gallery. 0 is free."
        input={number(0, "0.01")}
      />
      <TextField
        label="Category"
        required
        value={draft.category}
        onValue={(category) => onChange({ category })}
        fault={fault("category")}
        hint="One word in small letters, such as websites."
        input={{ maxLength: 40, pattern: "[a-z0-9\\-]+", spellcheck: false }}
      />
      <TextField
        label="Tags"
        value={draft.tags}
        onValue={(tags) => onChange({ tags })}
        fault={fault("tags")}
        hint="Separated by commas; found by the search."
      />
      <TextField
        label="Version"
        required
        value={draft.version}
        onValue={(version) => onChange({ version })}
        fault={fault("version")}
        input={{ pattern: "[0-9]+\\.[0-9]+\\.[0-9]+", spellcheck: false }}
      />
      <TextField
        label="Machines must have"
        value={draft.capabilities}
        onValue={(capabilities) => onChange({ capabilities })}
        fault={fault("required_capabilities")}
        hint="Capabilities of a node, such as gpu, separated by commas."
      />
    </section>
  );
}
