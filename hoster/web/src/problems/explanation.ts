import { megabytes } from "@/elements/amounts";
import { dateAndTime } from "@/elements/dates";
import { Problem } from "./problem";

/** A problem as its reader needs it: what happened, and what to do about it. */
export interface Explanation {
  readonly what: string;
  readonly next: string;
  readonly link?: { readonly path: string; readonly text: string };
}

type Explain = (problem: Problem) => Explanation;

const RETRY = "Try again; if it stays like this, tell your operator.";
const LOOK_AGAIN = "Reload the page to see how things are now, then decide again.";

/** What to do about a refusal that nobody has words for, by its class (RFC 9110). */
const BY_STATUS: Readonly<Record<number, string>> = {
  400: "Correct it, then try again.",
  401: "Sign out, sign in again, then try once more.",
  403: "Ask your operator if you need it.",
  404: "It may have been removed meanwhile. Go back, or reload the page.",
  408: RETRY,
  409: LOOK_AGAIN,
  410: LOOK_AGAIN,
  412: LOOK_AGAIN,
  413: "Send less at once, then try again.",
  422: "Correct it, then try again.",
  429: "Wait a minute, then try again.",
};

/** What a plan limits, as an amount of it is said. */
const LIMITS: Readonly<Record<string, readonly [amount: (of: number) => string, what: string]>> = {
  max_deployments: [String, "deployments"],
  max_cpu_cores: [String, "CPU cores"],
  max_memory_mb: [megabytes, "memory"],
  max_disk_mb: [megabytes, "disk"],
};

const EXPLANATIONS: Readonly<Record<string, Explain>> = {
  quota_exceeded: (problem) => ({
    what: "Your monthly quota of deployment operations is used up.",
    next: `${resetSentence(problem)} To go on before that, ask your operator for a larger plan.`,
    link: { path: "/usage", text: "See your usage and the plans" },
  }),
  rate_limit_exceeded: (problem) => ({
    what: "That was more operations in a minute than your plan allows.",
    next: `Wait ${problem.retryAfter ?? 60} seconds, then try again. Nothing was changed and nothing was counted.`,
  }),
  plan_limit_reached: (problem) => ({
    what: limitSentence(problem),
    next: "Delete a deployment that you no longer need, or ask your operator for a larger plan.",
    link: { path: "/usage", text: "See your plan" },
  }),
  no_node_available: (problem) => ({
    what: problem.detail,
    next: "Add a node, choose a smaller template, or ask your operator for room.",
    link: { path: "/nodes", text: "See the nodes" },
  }),
  node_unreachable: () => ({
    what: "The machine that runs this deployment cannot be reached at the moment.",
    next: "Your app may still be serving. This page tries again by itself; if the machine stays away, tell its operator.",
    link: { path: "/nodes", text: "See the nodes" },
  }),
  engine_unavailable: () => ({
    what: "The container engine of the machine is not running.",
    next: "Its operator has to start it; then try again. Nothing was changed.",
  }),
  nothing_to_stream: () => ({
    what: "This deployment is on no machine at the moment, so there is nothing to show live.",
    next: "Start it, and this begins by itself.",
  }),
  invalid_transition: (problem) => ({
    what: problem.detail || "That cannot be done in the state in which the deployment is now.",
    next: "Wait until the present change is over, then try again.",
  }),
  precondition_failed: () => ({
    what: "Somebody changed this since you opened it.",
    next: "Reload to see the present state, then make your change again.",
  }),
  invalid_credentials: () => ({
    what: "The e-mail address or the password is wrong.",
    next: "Check both, or sign up if you have no account yet.",
  }),
  email_taken: () => ({
    what: "There is already an account with this e-mail address.",
    next: "Sign in instead.",
    link: { path: "/sign-in", text: "Sign in" },
  }),
  too_many_attempts: (problem) => ({
    what: "There were too many failed attempts.",
    next: `Wait ${problem.retryAfter ?? 60} seconds, then try again.`,
  }),
  user_suspended: () => ({
    what: "This account is suspended.",
    next: "Ask your operator why, and to activate it again.",
  }),
  counters_unavailable: () => ({
    what: "Operations cannot be counted at the moment, so none is accepted.",
    next: "Your apps go on serving. Try again in a few seconds.",
  }),
  journal_unavailable: () => ({
    what: "Operations cannot be recorded at the moment, so none is accepted.",
    next: "Your apps go on serving. Try again in a few seconds; if it stays like this, tell your operator.",
  }),
  domain_unverified: (problem) => ({
    what: problem.detail,
    next: "Publish one of the records shown here. A change of DNS can take some minutes to be seen everywhere; then check again.",
  }),
  hostname_taken: (problem) => ({
    what: problem.detail,
    next: `If the name is yours, prove it by publishing one of these records, then add it again: ${recordsOf(problem)}.`,
  }),
  dns_unavailable: () => ({
    what: "DNS could not be asked at the moment.",
    next: "Check again in a minute; if it stays like this, tell your operator.",
  }),
  node_in_use: () => ({
    what: "Deployments still live on this node.",
    next: "Delete them first, then remove the node. If its machine is gone for good and the node offline, say so when you remove it.",
    link: { path: "/deployments", text: "See the deployments" },
  }),
  node_online: (problem) => ({
    what: problem.detail,
    next: "Delete its deployments, then remove it as it is.",
    link: { path: "/deployments", text: "See the deployments" },
  }),
  validation_failed: (problem) => ({
    what: "Some of what you entered cannot be accepted.",
    next: problem.errors.length > 0 ? problem.errors.map(faultSentence).join(" ") : problem.detail,
  }),
  too_many_domains: (problem) => ({
    what: problem.detail,
    next: "Remove one that is no longer needed, then add this one again.",
  }),
  ssh_key_in_use: (problem) => ({
    what: problem.detail,
    next: "Delete that deployment, or wait until the installation is over; then delete the key.",
    link: { path: "/deployments", text: "See the deployments" },
  }),
  bootstrap_under_way: (problem) => ({
    what: problem.detail,
    next: "Its progress is shown on the node's card. Wait until it is over.",
  }),
  node_joined_already: (problem) => ({ what: problem.detail, next: "Nothing needs to be installed." }),
  bootstrap_unavailable: () => ({
    what: "This platform cannot install workers over SSH.",
    next: "Add the node without SSH, and run the join command on the machine yourself.",
  }),
  public_node_refused: (problem) => ({
    what: problem.detail,
    next: "Your node runs your own deployments; add it without that.",
  }),
  idempotency_key_in_use: () => ({
    what: "The platform is still at work on what you asked for first.",
    next: "Wait a few seconds, then reload the page: it may be done.",
  }),
  operation_cancelled: () => ({
    what: "The platform gave this up before it was begun. Nothing was changed and nothing was counted.",
    next: "Try again.",
  }),
  overloaded: (problem) => ({
    what: "The platform has more to do than it can at the moment.",
    next: `Your apps go on serving. Try again in ${problem.retryAfter ?? 5} seconds.`,
  }),
  deployment_not_found: (problem) => ({
    what: problem.detail,
    next: "It may have been deleted, or it belongs to another account.",
    link: { path: "/deployments", text: "See your deployments" },
  }),
  template_not_found: (problem) => ({
    what: problem.detail,
    next: "It may have been deleted, or its author has taken it back.",
    link: { path: "/templates", text: "See the templates" },
  }),
  route_not_found: missing,
  not_found: missing,
  upstream_error: unreachable,
  upstream_timeout: unreachable,
  part_not_fetched: (problem) => ({
    what: problem.detail,
    next: "The platform may have been upgraded since you opened this page, or it cannot be reached. Try again; that reloads the page.",
  }),
  offline: () => ({
    what: "This device is offline.",
    next: "Your apps go on serving. Connect it to the network again, then try once more.",
  }),
  unreachable: (problem) => ({
    what: problem.detail,
    next: "Your apps may go on serving. Check your connection, then try again.",
  }),
};

export function explain(error: unknown): Explanation {
  if (!(error instanceof Problem)) {
    return {
      what: "The console itself made a mistake.",
      next: "Reload the page; if it happens again, tell your operator.",
    };
  }
  const known = EXPLANATIONS[error.code];
  if (known !== undefined) return known(error);
  if (error.status >= 500) return { what: error.detail, next: RETRY };
  const faults = error.errors.map(faultSentence);
  return { what: error.detail, next: [...faults, BY_STATUS[error.status] ?? RETRY].join(" ") };
}

function missing(): Explanation {
  return {
    what: "This part of the platform is not there.",
    next: "It may be newer than the service you use, or it was removed meanwhile. Go back, or reload the page.",
  };
}

function unreachable(): Explanation {
  return { what: "The platform could not be reached behind its front door.", next: RETRY };
}

function faultSentence(fault: { field: string; message: string }): string {
  return `${fault.field.replace(/^variables\./, "")} ${fault.message}.`;
}

function limitSentence(problem: Problem): string {
  const { limit, used, max } = problem.members;
  const [amount, what] = LIMITS[String(limit)] ?? [];
  if (amount === undefined || typeof used !== "number" || typeof max !== "number") return problem.detail;
  return `Your plan's limit for ${what} is ${amount(max)}, and you use ${amount(used)}.`;
}

function resetSentence(problem: Problem): string {
  if (problem.quotaReset === null) return "It is full again at the beginning of next month (UTC).";
  return `It is full again on ${dateAndTime(problem.quotaReset)}.`;
}

function recordsOf(problem: Problem): string {
  const { records } = problem.members;
  if (!Array.isArray(records)) return "a TXT or CNAME record";
  return records
    .map((record: Record<string, unknown>) => `${record.type} ${record.name} ${record.value}`)
    .join(", or ");
}
