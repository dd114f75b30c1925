import { sha256Hex } from "./canonical-json.ts";

/** A row's place in its chain: everything up to it is pinned by its hash. */
export interface Link {
  readonly seq: number;
  /** Hex. */
  readonly hash: string;
}

/** One row as it stands in the table. */
export interface ChainRow extends Link {
  readonly prevHash: string;
  /** What the hash is made of besides `prevHash`; read from the row's columns, not stored. */
  readonly payload: string;
  /** Where the row tells of an anchor: the last row of what was dropped. */
  readonly anchors?: Link;
}

/** What is wrong with a chain, and the first row where it shows. */
export interface Break {
  readonly kind: "edited" | "missing" | "moved" | "truncated" | "head_changed" | "anchor_unknown" | "not_as_exported";
  readonly seq: number;
  readonly detail: string;
}

/** What is before the first row of a chain. */
export const GENESIS: Link = { seq: 0, hash: "00".repeat(32) };

/** What is wrong with `row` where the chain so far ends in `before`; undefined where it follows. */
export function breakAt(before: Link, row: ChainRow): Break | undefined {
  const { seq } = row;
  if (seq <= before.seq) return { kind: "moved", seq, detail: `row ${seq} stands behind row ${before.seq}` };
  if (seq > before.seq + 1) {
    const [first, last] = [before.seq + 1, seq - 1];
    const detail = first === last ? `row ${first} is missing` : `rows ${first} to ${last} are missing`;
    return { kind: "missing", seq: first, detail };
  }
  if (row.prevHash !== before.hash) {
    const detail = `row ${seq} was not written after what stands before it: one of the two was replaced or moved`;
    return { kind: "moved", seq, detail };
  }
  if (sha256Hex(Buffer.from(row.prevHash, "hex"), row.payload) !== row.hash) {
    return { kind: "edited", seq, detail: `row ${seq} does not have the content that it was written with` };
  }
  return undefined;
}

/** What is wrong with the recorded head of a chain that ends in `last`. */
export function breakAtHead(last: Link, head: Link | undefined): Break | undefined {
  const recorded = head ?? GENESIS;
  if (recorded.seq > last.seq) {
    const detail = `rows ${last.seq + 1} to ${recorded.seq} are missing at the end`;
    return { kind: "truncated", seq: last.seq + 1, detail };
  }
  if (recorded.seq < last.seq) {
    const detail = `the head names row ${recorded.seq}, the chain goes on to row ${last.seq}`;
    return { kind: "head_changed", seq: last.seq, detail };
  }
  if (recorded.hash !== last.hash) return { kind: "head_changed", seq: last.seq, detail: `the head has another hash than row ${last.seq}` };
  return undefined;
}
