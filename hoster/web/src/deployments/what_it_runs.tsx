import { useTemplates } from "@/templates/template";
import type { Deployment } from "./deployment";

/** What it runs, in a word or two. */
export function WhatItRuns({ deployment }: { readonly deployment: Deployment }) {
  const { source } = deployment;
  if (deployment.template_id !== null)
    return <OfTemplate deployment={deployment} id={deployment.template_id} />;
  if (source?.git !== undefined && source.git !== null) {
    return (
      <>
        git: {source.git.url} @ {source.git.ref}
      </>
    );
  }
  return <>image: {source?.image ?? "unknown"}</>;
}

function OfTemplate({ deployment, id }: { readonly deployment: Deployment; readonly id: string }) {
  const name = useTemplates().data?.find((one) => one.id === id)?.name;
  return (
    <>
      {name === undefined ? "a template" : `${name} template`}, revision {deployment.template_revision ?? "?"}
    </>
  );
}
