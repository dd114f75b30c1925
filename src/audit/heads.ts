import { z } from "zod";
import { AppError } from "../errors.ts";
import type { Link } from "./chain.ts";

/** A chain's newest row, as it is kept outside the database: what a superuser would have to rewrite as well. */
export interface ExportedHead extends Link {
  /** Short name of the tenant. */
  readonly tenant: string;
  readonly tenant_id: number;
  /** When it was exported, ISO. */
  readonly exported_at: string;
}

const headSchema = z.object({
  tenant: z.string(),
  tenant_id: z.int().positive(),
  seq: z.int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  exported_at: z.string(),
});

/** One line a head. */
export function headLine(head: ExportedHead): string {
  return JSON.stringify(head);
}

/** Reads what `headLine` wrote; empty lines are skipped, files may be joined. Throws AppError SPEC_INVALID naming the line. */
export function parseHeads(text: string): readonly ExportedHead[] {
  return text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [parseHead(line, index + 1)]));
}

function parseHead(line: string, number: number): ExportedHead {
  try {
    return headSchema.parse(JSON.parse(line));
  } catch {
    throw new AppError("SPEC_INVALID", `Line ${number} of the heads is not a head as \`audit heads\` writes it.`, {
      next: "Give a file that holds only the output of `metricgate audit heads`.",
    });
  }
}
