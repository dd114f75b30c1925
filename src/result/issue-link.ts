import type { Cell } from "./result.ts";

/** An issue's page in its tracker, where that is known: the instance's base address, its kind, and the key. */
export function issueLink(base: Cell, kind: Cell, key: Cell): string | null {
  if (typeof base !== "string" || typeof key !== "string" || !/^https?:\/\/[^\s]+$/i.test(base)) return null;
  const root = base.replace(/\/+$/, "");
  if (kind !== "github") return `${root}/browse/${encodeURIComponent(key)}`;
  const [, repository, number] = /^([\w.-]+\/[\w.-]+)#(\d+)$/.exec(key) ?? [];
  return repository === undefined ? null : `${root}/${repository}/issues/${number}`;
}
