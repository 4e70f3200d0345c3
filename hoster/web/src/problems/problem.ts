/** What the API, or the way to it, answered instead of what was asked for (RFC 9457). */

export interface FieldFault {
  readonly field: string;
  readonly message: string;
}

export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: readonly FieldFault[] = [],
    readonly members: Readonly<Record<string, unknown>> = {},
    /** Seconds. */
    readonly retryAfter: number | null = null,
    /** When the quota is full again. */
    readonly quotaReset: Date | null = null,
  ) {
    super(detail);
  }

  fault(field: string): string | undefined {
    return this.errors.find((error) => error.field === field)?.message;
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  const members = await membersOf(response);
  const reset = Number(response.headers.get("X-Quota-Reset") ?? Number.NaN);
  const retryAfter = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return new Problem(
    response.status,
    textOf(members.code) ?? "unknown",
    textOf(members.detail) ?? textOf(members.title) ?? `The service answered ${response.status}.`,
    faultsOf(members.errors),
    members,
    Number.isFinite(retryAfter) ? retryAfter : null,
    Number.isFinite(reset) ? new Date(reset * 1000) : null,
  );
}

async function membersOf(response: Response): Promise<Record<string, unknown>> {
  try {
    const found: unknown = await response.json();
    return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function faultsOf(value: unknown): FieldFault[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((fault: { field?: unknown; message?: unknown; detail?: unknown }) => {
    const message = textOf(fault.message) ?? textOf(fault.detail);
    return message === undefined ? [] : [{ field: textOf(fault.field) ?? "", message }];
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
