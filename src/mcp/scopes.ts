import { AppError } from "../errors.ts";
import { type Principal, type Scope, SCOPES } from "../tenant.ts";
import { isRecord } from "./json-schema.ts";

/** What each tool's callers must be allowed to do. */
const SCOPE_OF_TOOL: ReadonlyMap<string, Scope> = new Map([
  ["list_metrics", "metrics:read"],
  ["list_values", "metrics:read"],
  ["run_analytics_spec", "metrics:read"],
  ["get_result", "metrics:read"],
  ["drill_down", "drill:read"],
  ["render_chart", "metrics:read"],
  ["semantic_search", "search:read"],
  ["start_job", "jobs:write"],
  ["get_job", "metrics:read"],
  ["cancel_job", "jobs:write"],
]);

/** The scope that a tool asks for; a tool that is not listed reads metrics. */
export function scopeOfTool(name: string): Scope {
  return SCOPE_OF_TOOL.get(name) ?? "metrics:read";
}

/** The scope that a protocol request asks for; undefined for what any known caller may ask. */
export function scopeOfRequest(method: string, params: unknown): Scope | undefined {
  switch (method) {
    case "tools/call":
      return scopeOfTool(isRecord(params) && typeof params["name"] === "string" ? params["name"] : "");
    case "resources/read":
    case "completion/complete":
      return "metrics:read";
    default:
      return undefined;
  }
}

/** What the requests of a body, one or a batch, ask for and this principal lacks; in our order. */
export function scopesLacking(body: unknown, { scopes }: Principal): readonly Scope[] {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body];
  const asked = new Set(
    messages.map((message) =>
      isRecord(message) && typeof message["method"] === "string" ? scopeOfRequest(message["method"], message["params"]) : undefined,
    ),
  );
  return SCOPES.filter((scope) => asked.has(scope) && !scopes.includes(scope));
}

/** Throws FORBIDDEN unless the principal has the scope. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!principal.scopes.includes(scope)) throw forbidden([scope]);
}

export function forbidden(lacking: readonly Scope[]): AppError {
  return new AppError("FORBIDDEN", `This needs the scope ${lacking.join(", ")}, which your credential does not have.`, {
    next: "Log in again with that scope, or ask the operator for an API key that has it.",
  });
}
