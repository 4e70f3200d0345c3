import { useState } from "preact/hooks";
import { type Submission, useSubmit } from "./use_submit";

/** What ties an entry to its field, as in `<TextField label="Name" {...field("name")} />`. */
export interface Tie<Value> {
  readonly value: Value;
  readonly onValue: (value: Value) => void;
  readonly fault: string | undefined;
}

/** Ties entries to their fields; `said` is what the API calls one, where it has another name for it. */
export function fieldsOf<Entries extends object>(
  entries: Entries,
  onChange: (fields: Partial<Entries>) => void,
  fault: (field: string) => string | undefined,
) {
  return <Name extends keyof Entries & string>(name: Name, said: string = name): Tie<Entries[Name]> => ({
    value: entries[name],
    onValue: (value) => onChange({ [name]: value } as unknown as Partial<Entries>),
    fault: fault(said),
  });
}

interface Form<Entries> extends Submission {
  readonly entries: Entries;
  field<Name extends keyof Entries & string>(name: Name, said?: string): Tie<Entries[Name]>;
  change(fields: Partial<Entries>): void;
}

/** A form that is sent as a whole. */
export function useForm<Entries extends object>(
  first: Entries,
  send: (entries: Entries) => Promise<unknown>,
): Form<Entries> {
  const [entries, setEntries] = useState(first);
  const submission = useSubmit(() => send(entries));
  const change = (fields: Partial<Entries>) => setEntries((before) => ({ ...before, ...fields }));
  return { ...submission, entries, change, field: fieldsOf(entries, change, submission.fault) };
}
