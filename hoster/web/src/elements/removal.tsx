import { useQueryClient } from "@tanstack/preact-query";
import type { ComponentChildren } from "preact";
import { request } from "@/session/request";
import { Confirmation } from "./confirmation";
import { DialogButton } from "./dialog_button";

interface RemovalProps {
  /** What is done, such as “Revoke”. */
  readonly verb: string;
  /** What it is done to. */
  readonly name: string;
  /** Where the API has it. */
  readonly path: string;
  /** The queries that were answered with it. */
  readonly stale: readonly unknown[];
  /** What is lost with it. */
  readonly children: ComponentChildren;
}

/** The button that takes something off a list of the API, after asking. */
export function Removal({ verb, name, path, stale, children }: RemovalProps) {
  const queries = useQueryClient();
  const remove = async () => {
    await request(path, { method: "DELETE" });
    await queries.invalidateQueries({ queryKey: stale });
  };
  return (
    <DialogButton small verb={verb} label={`${verb} ${name}`}>
      {(close) => (
        <Confirmation title={`${verb} ${name}?`} verb={verb} onClose={close} onConfirm={remove}>
          {children}
        </Confirmation>
      )}
    </DialogButton>
  );
}
