import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { CompleteResult, McpServer, ServerContext } from "@modelcontextprotocol/server";
import type { Catalog } from "../catalog/catalog.ts";
import { AppError } from "../errors.ts";
import { errorText } from "./answer.ts";
import { asAppError, principalOf } from "./callers.ts";
import type { McpParts } from "./parts.ts";
import type { ReadyPrompt } from "./prompts.ts";
import { requireScope } from "./scopes.ts";
import { METRIC_TEMPLATE } from "./resources/catalog-resources.ts";

const MAX_COMPLETIONS = 100;

/** What completions are taken from: the caller's catalog, and its data. */
export interface Known {
  readonly parts: McpParts;
  readonly catalog: Catalog;
}

/**
 * Answers what an argument may be completed to: names from the catalog, or values from the caller's own data.
 * One handler of ours, because the library's completers are not told who asks.
 */
export function registerCompletions(server: McpServer, prompts: readonly ReadyPrompt[], known: Known): void {
  server.server.registerCapabilities({ completions: {} });
  server.server.setRequestHandler("completion/complete", async ({ params: { ref, argument } }, context) => {
    const source = ref.type === "ref/prompt" ? promptSource(prompts, ref.name, argument.name) : resourceSource(ref.uri, argument.name);
    return complete(source, argument.value, context, known);
  });
}

/** `metrics`, `dimensions`, a dimension's name, or nothing to offer. */
type Source = string | undefined;

function promptSource(prompts: readonly ReadyPrompt[], name: string, argument: string): Source {
  const prompt = prompts.find(({ definition }) => definition.name === name);
  if (prompt === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "There is no such prompt.");
  return prompt.definition.arguments.find((candidate) => candidate.name === argument)?.completes;
}

function resourceSource(uri: string, argument: string): Source {
  if (!uri.startsWith("metricgate://")) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "There is no such resource template.");
  return uri === METRIC_TEMPLATE && argument === "name" ? "metrics" : undefined;
}

async function complete(source: Source, typed: string, context: ServerContext, { parts, catalog }: Known): Promise<CompleteResult> {
  if (source === undefined) return { completion: { values: [], total: 0, hasMore: false } };
  if (source === "metrics") return offered([...catalog.metrics.keys()], typed);
  if (source === "dimensions")
    return offered(
      [...catalog.dimensions.values()].filter((dimension) => !dimension.filter_only).map((dimension) => dimension.name),
      typed,
    );
  try {
    return await asAppError(parts, "completion/complete", async () => {
      const principal = await principalOf(context, parts);
      requireScope(principal, "metrics:read");
      const request = { dimension: source, limit: MAX_COMPLETIONS, ...(typed === "" ? {} : { search: typed.slice(0, 200) }) };
      const list = await parts.pipeline.values(principal, request, { signal: context.mcpReq.signal });
      const values = list.values.flatMap(({ value }) => (value === null ? [] : [value]));
      return { completion: { values, total: list.total, hasMore: list.truncated } };
    });
  } catch (error) {
    if (error instanceof AppError) throw new ProtocolError(ProtocolErrorCode.InternalError, errorText(error));
    throw error;
  }
}

/** Names that begin with what was typed, then those that contain it. */
function offered(names: readonly string[], typed: string): CompleteResult {
  const wanted = typed.toLowerCase();
  const containing = names.filter((name) => name.includes(wanted));
  const ranked = [...containing.filter((name) => name.startsWith(wanted)), ...containing.filter((name) => !name.startsWith(wanted))];
  return { completion: { values: ranked.slice(0, MAX_COMPLETIONS), total: ranked.length, hasMore: ranked.length > MAX_COMPLETIONS } };
}
