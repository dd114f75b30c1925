import { z } from "zod";
import type { SpecChart } from "../spec/spec.ts";

const PREFIX = "chart_";
const MAX_LENGTH = 4_000;
const part = z
  .string()
  .refine((text) => text.isWellFormed())
  .nullable();
const HANDLE = z.tuple([z.string(), part, part, part, part, part, part, part]);

/** A chart by what it is drawn from: a result, which its owner alone has, and a wish. Nothing is kept for it. */
export function chartId(resultId: string, { type, x, y, color, facet, title, theme }: SpecChart): string {
  return PREFIX + Buffer.from(JSON.stringify([resultId, type, x, y, color, facet, title, theme])).toString("base64url");
}

export function chartUri(id: string): string {
  return `metricgate://charts/${id}`;
}

/** The result and the wish of a handle; undefined of what is none. The wish is its bearer's to write, and still to be checked. */
export function readChartId(id: string): { readonly resultId: string; readonly wish: SpecChart } | undefined {
  if (!id.startsWith(PREFIX) || id.length > MAX_LENGTH) return undefined;
  const found = HANDLE.safeParse(parsed(Buffer.from(id.slice(PREFIX.length), "base64url").toString()));
  if (!found.success) return undefined;
  const [resultId, type, x, y, color, facet, title, theme] = found.data;
  return { resultId, wish: { type, x, y, color, facet, title, theme } };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
