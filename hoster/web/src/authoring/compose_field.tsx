import { useRef } from "preact/hooks";
import { Button } from "@/elements/button";
import { Field } from "@/elements/field";
import type { FieldFault, Problem } from "@/problems/problem";
import { lineOf } from "./compose_places";

interface ComposeFieldProps {
  readonly compose: string;
  readonly onCompose: (compose: string) => void;
  readonly problem: Problem | null;
}

/** The compose file, and each fault that the platform found in it with the way to its line. */
export function ComposeField({ compose, onCompose, problem }: ComposeFieldProps) {
  const text = useRef<HTMLTextAreaElement>(null);
  const faults = (problem?.errors ?? []).filter((fault) => /^compose(\.|$)/.test(fault.field));
  const show = (line: number) => {
    const element = text.current;
    if (element === null) return;
    const before = compose.split("\n").slice(0, line - 1);
    const from = before.reduce((length, one) => length + one.length + 1, 0);
    element.focus();
    element.setSelectionRange(from, from + (compose.split("\n")[line - 1] ?? "").length);
  };
  return (
    <>
      <Field
        label="Compose file"
        required
        fault={faults.length === 0 ? undefined : "cannot be accepted: see below"}
      >
        {(ties) => (
          <textarea
            {...ties}
            ref={text}
            class="compose"
            rows={Math.min(30, Math.max(12, compose.split("\n").length))}
            maxLength={65_536}
            spellcheck={false}
            autocapitalize="off"
            wrap="off"
            value={compose}
            onInput={(event) => onCompose(event.currentTarget.value)}
          />
        )}
      </Field>
      {faults.length > 0 && (
        <ul class="compose-faults">
          {faults.map((fault) => (
            <Fault
              key={fault.field + fault.message}
              fault={fault}
              line={lineOf(compose, fault.field)}
              onShow={show}
            />
          ))}
        </ul>
      )}
    </>
  );
}

interface FaultProps {
  readonly fault: FieldFault;
  readonly line: number | null;
  readonly onShow: (line: number) => void;
}

function Fault({ fault, line, onShow }: FaultProps) {
  return (
    <li>
      {line !== null && (
        <Button small onClick={() => onShow(line)} label={`Show line ${line}`}>
          Line {line}
        </Button>
      )}
      <span>
        <code>{fault.field.replace(/^compose\./, "")}</code> {fault.message}
      </span>
    </li>
  );
}
