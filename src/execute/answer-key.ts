import { createHash } from "node:crypto";
import type { BoundStatement } from "../db/database.ts";
import { extentOf, type Principal } from "../tenant.ts";

/** Everything that decides an answer. */
export interface KeyParts {
  readonly principal: Principal;
  /** Names the tenant's present data. */
  readonly dataVersion: string;
  /** What ran: its text and values carry the canonical spec, the zone, the week's start and today's date where ranges depend on it. */
  readonly statement: BoundStatement;
  /** What the answer shows besides its rows: canonical spec, catalog, today. JSON. */
  readonly about: unknown;
}

/** The answer's name in a cache: sha256 of all its parts, so that two questions share one only where nothing differs. */
export function answerKey({ principal, dataVersion, statement, about }: KeyParts): string {
  const parts = [extentOf(principal), principal.tenant.weekStart, dataVersion, statement.text, statement.values, about];
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
}
