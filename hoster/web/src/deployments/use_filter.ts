import { go, useLocation } from "@/routing/location";
import type { DeploymentFilter } from "./deployment_filter";

/** Kept in the address of the page, so that going back to the list finds it as it was left. */
export function useFilter(): readonly [DeploymentFilter, (filter: DeploymentFilter) => void] {
  const asked = useLocation().searchParams;
  return [{ text: asked.get("q") ?? "", state: asked.get("state") }, show];
}

function show({ text, state }: DeploymentFilter): void {
  const asked = new URLSearchParams();
  if (text !== "") asked.set("q", text);
  if (state !== null) asked.set("state", state);
  const query = asked.toString();
  go(query === "" ? "/deployments" : `/deployments?${query}`, { replace: true });
}
