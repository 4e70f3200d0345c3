import { TextField } from "@/elements/text_field";
import { fieldsOf } from "@/elements/use_form";
import type { Draft } from "./draft";

interface ResourceFieldsProps {
  readonly draft: Draft;
  readonly onChange: (fields: Partial<Draft>) => void;
  readonly fault: (field: string) => string | undefined;
}

/** What it reserves, and how it is found. */
export function ResourceFields({ draft, onChange, fault }: ResourceFieldsProps) {
  const field = fieldsOf(draft, onChange, fault);
  const number = (min: number, step: string) =>
    ({ type: "number", min, step, inputMode: "decimal" }) as const;
  return (
    <section class="card" aria-label="What it takes and how it is found">
      <TextField
        label="CPU cores"
        required
        {...field("cpuCores", "resources.cpu_cores")}
        hint="Reserved for all its services together, out of the plan of who deploys it."
        input={number(0.01, "0.01")}
      />
      <TextField
        label="Memory in MB"
        required
        {...field("memoryMb", "resources.memory_mb")}
        input={number(16, "1")}
      />
      <TextField
        label="Disk in MB"
        required
        {...field("diskMb", "resources.disk_mb")}
        input={number(1, "1")}
      />
      <TextField
        label="Price a month"
        required
        {...field("price", "price_monthly_cents")}
        hint="Shown in the gallery. 0 is free."
        input={number(0, "0.01")}
      />
      <TextField
        label="Category"
        required
        {...field("category")}
        hint="One word in small letters, such as websites."
        input={{ maxLength: 40, pattern: "[a-z0-9\\-]+", spellcheck: false }}
      />
      <TextField label="Tags" {...field("tags")} hint="Separated by commas; found by the search." />
      <TextField
        label="Version"
        required
        {...field("version")}
        input={{ pattern: "[0-9]+\\.[0-9]+\\.[0-9]+", spellcheck: false }}
      />
      <TextField
        label="Machines must have"
        {...field("capabilities", "required_capabilities")}
        hint="Capabilities of a node, such as gpu, separated by commas."
      />
    </section>
  );
}
