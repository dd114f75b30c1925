import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/server";
import type { AppError, Problem } from "../errors.ts";
import { visible } from "./visible.ts";

/**
 * What a tool says: a text and a structured form, each complete on its own, because clients show only one of them; or a text
 * and what stands beside it, as a picture.
 */
export interface Answer {
  readonly text: string;
  readonly structured?: Readonly<Record<string, unknown>>;
  readonly content?: readonly ContentBlock[];
}

/** The protocol's result of a call that succeeded. */
export function successResult(answer: Answer): CallToolResult {
  const { text, structured, content = [] } = answer;
  return { content: [{ type: "text", text }, ...content], ...(structured === undefined ? {} : { structuredContent: { ...structured } }) };
}

/** The protocol's result of a call that failed: everything in the text, because some clients drop the rest of an error. */
export function failureResult(error: AppError): CallToolResult {
  return { isError: true, content: [{ type: "text", text: errorText(error) }], structuredContent: { ...errorEnvelope(error) } };
}

/** CONTRACT.md section 5, the failing half; the same object over every edge. */
export function errorEnvelope(error: AppError): Readonly<Record<string, unknown>> {
  const { problems = [], retryAfterSeconds, next } = error.details;
  return {
    success: false,
    error: {
      code: error.code,
      message: error.message,
      problems,
      ...(next === undefined ? {} : { next }),
      ...(retryAfterSeconds === undefined ? {} : { retry_after: retryAfterSeconds }),
    },
  };
}

/** `CODE: what (path). Allowed: … Did you mean …? Next: …`, one line a problem. */
export function errorText(error: AppError): string {
  const { problems = [], retryAfterSeconds, next } = error.details;
  const lines = [`${error.code}: ${visible(error.message)}`, ...problems.map(problemLine)];
  if (retryAfterSeconds !== undefined) lines.push(`Retry after ${retryAfterSeconds} s.`);
  if (next !== undefined) lines.push(`Next: ${visible(next)}`);
  return lines.join("\n");
}

function problemLine(problem: Problem): string {
  const path = problem.path === "" ? "" : ` (${visible(problem.path)})`;
  const message = visible(problem.message).replace(/[.\s]+$/, "");
  const allowed =
    problem.allowed === undefined || problem.allowed.length === 0 ? "" : ` Allowed: ${problem.allowed.map(visible).join(", ")}.`;
  const suggestion = problem.suggestion === undefined ? "" : ` Did you mean ${visible(problem.suggestion)}?`;
  return `- ${problem.code}: ${message}${path}.${allowed}${suggestion}`;
}
