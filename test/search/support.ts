import type { Database } from "../../src/db/database.ts";
import { importInto } from "../../src/ingest/import.ts";
import type { IssueRecord, Source } from "../../src/ingest/source.ts";
import type { Tenant } from "../../src/tenant.ts";

/** Issues as an importer's source. */
export function issueSource(issues: readonly IssueRecord[]): Source {
  return {
    kind: "neutral",
    read: async function* () {
      for (const key of new Set(issues.map(({ projectKey }) => projectKey))) yield { kind: "project", place: key, key, name: key };
      yield* issues;
    },
  };
}

export function importIssues(database: Database, tenant: Pick<Tenant, "id">, issues: readonly IssueRecord[], instanceId = "one") {
  return importInto(database, tenant, { instanceId, source: issueSource(issues) });
}
