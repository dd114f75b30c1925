import { ProtocolError, ProtocolErrorCode, ResourceNotFoundError, ResourceTemplate } from "@modelcontextprotocol/server";
import type { McpServer, ReadResourceResult } from "@modelcontextprotocol/server";
import { AppError } from "../../errors.ts";
import { errorText } from "../answer.ts";
import { asAppError, principalOf } from "../callers.ts";
import { jobEnvelope } from "../job-answer.ts";
import type { McpParts } from "../parts.ts";
import { requireScope } from "../scopes.ts";

const JOB = new ResourceTemplate("metricgate://jobs/{id}", { list: undefined });

/** How jobs stand, for clients that watch resources. */
export function registerJobResources(server: McpServer, parts: McpParts): void {
  server.registerResource(
    "job",
    JOB,
    {
      title: "Job",
      description: "How a background job stands",
      mimeType: "application/json",
      cacheHint: { ttlMs: 0, cacheScope: "private" },
    },
    async (url, { id }, context): Promise<ReadResourceResult> => {
      try {
        const job = await asAppError(parts, "resources/read", async () => {
          const principal = await principalOf(context, parts);
          requireScope(principal, "metrics:read");
          return parts.pipeline.job(principal, { job_id: typeof id === "string" ? id : "" });
        });
        return { contents: [{ uri: url.href, mimeType: "application/json", text: JSON.stringify(jobEnvelope(job)) }] };
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (error.code === "NOT_FOUND") throw new ResourceNotFoundError(url.href);
        throw new ProtocolError(ProtocolErrorCode.InternalError, errorText(error));
      }
    },
  );
}
