import { PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";
import type { CallToolResult, ServerContext } from "@modelcontextprotocol/server";
import { toAppError } from "../errors.ts";
import type { AppError, ErrorCode } from "../errors.ts";
import { withinCall } from "../observe/call.ts";
import type { Call } from "../observe/call.ts";
import type { Stage } from "../observe/observation.ts";
import type { CallOptions } from "../pipeline.ts";
import { failureResult, successResult } from "./answer.ts";
import { principalOf } from "./callers.ts";
import type { Tool } from "./define-tool.ts";
import type { McpParts } from "./parts.ts";
import { requireScope, scopeOfTool } from "./scopes.ts";

/** What every call passes; a chart comes after them. */
const STAGES: readonly Stage[] = ["parse", "plan", "compile", "execute", "shape"];

/** Failures that a person watching the connection should hear of; a mistaken spec is not one. */
const LOGGED: ReadonlyMap<ErrorCode, "error" | "warning"> = new Map([
  ["INTERNAL", "error"],
  ["UNAVAILABLE", "error"],
  ["AUDIT_UNAVAILABLE", "error"],
  ["TIMEOUT", "warning"],
  ["BUSY", "warning"],
  ["RATE_LIMITED", "warning"],
]);

/** One tool call from the protocol to its answer: identified, followed, observed. Never throws. */
export function callTool(tool: Tool, input: unknown, context: ServerContext, parts: McpParts): Promise<CallToolResult> {
  return withinCall(callOf(tool, context), async () => {
    const start = performance.now();
    parts.observe({ kind: "tool_started", tool: tool.name });
    let tenantId: number | null = null;
    let outcome: "ok" | ErrorCode = "ok";
    try {
      const principal = await principalOf(context, parts);
      tenantId = principal.tenant.id;
      requireScope(principal, scopeOfTool(tool.name));
      const { options, told } = followed(context);
      const answer = await tool.handle(input, { principal, pipeline: parts.pipeline, options });
      await told();
      return successResult(answer);
    } catch (thrown) {
      const error = toAppError(thrown);
      outcome = error.code;
      if (error.code === "INTERNAL") parts.observe({ kind: "unexpected_error", where: tool.name, error: error.details.cause ?? error });
      await tellClient(tool, error, context);
      return failureResult(error);
    } finally {
      parts.observe({ kind: "tool_called", tool: tool.name, tenantId, durationMs: performance.now() - start, outcome });
    }
  });
}

function callOf(tool: Tool, { mcpReq, http }: ServerContext): Call {
  const { traceparent, tracestate } = mcpReq._meta ?? {};
  const envelope: Readonly<Record<string, unknown>> = mcpReq.envelope ?? {};
  const version = envelope[PROTOCOL_VERSION_META_KEY];
  return {
    tool: tool.name,
    transport: http === undefined ? "stdio" : "http",
    requestId: String(mcpReq.id),
    ...(typeof version === "string" ? { protocolVersion: version } : {}),
    ...(typeof traceparent === "string" ? { traceparent } : {}),
    ...(typeof tracestate === "string" ? { tracestate } : {}),
  };
}

interface Followed {
  readonly options: CallOptions;
  /** Settles when the client has been sent all progress: an answer must not overtake it. */
  readonly told: () => Promise<unknown>;
}

/** A call ends early when the client cancels it or hangs up, and tells how far it is when asked to. */
function followed({ mcpReq, http }: ServerContext): Followed {
  const signal = http?.req === undefined ? mcpReq.signal : AbortSignal.any([mcpReq.signal, http.req.signal]);
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return { options: { signal }, told: () => Promise.resolve() };
  const sent: Promise<unknown>[] = [];
  let last = -1;
  const onStage = (stage: Stage): void => {
    const at = STAGES.indexOf(stage);
    const progress = at < 0 ? STAGES.length : at;
    // A job that is followed stays at its stage, or begins again; progress only ever grows.
    if (progress <= last) return;
    last = progress;
    const params = { progressToken, progress, total: STAGES.length, message: stage };
    // A client that has gone away cannot be told how far its call is.
    sent.push(mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined));
  };
  return { options: { signal, onStage }, told: () => Promise.all(sent) };
}

async function tellClient(tool: Tool, error: AppError, { mcpReq }: ServerContext): Promise<void> {
  const level = LOGGED.get(error.code);
  if (level === undefined) return;
  // The answer carries the same; a client that cannot be sent this notice still gets that.
  await mcpReq.log(level, { tool: tool.name, code: error.code }, "metricgate").catch(() => undefined);
}
