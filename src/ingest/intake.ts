import type { Intake } from "./source.ts";

/** A row that was left out. */
export interface RefusedRow {
  readonly place: string;
  readonly reason: string;
}

/** A reservation that applies to `count` rows; `place` is the first of them. */
export interface ImportWarning {
  readonly message: string;
  readonly count: number;
  readonly place: string | null;
}

/** Most refused rows that a report lists; all are counted. */
export const REFUSED_LISTED = 1000;

/** Collects what an import has to report about its input. */
export class IntakeLog implements Intake {
  readonly refused: RefusedRow[] = [];
  refusedCount = 0;
  readonly #warnings = new Map<string, { count: number; place: string | null }>();

  refuse(place: string, reason: string): void {
    this.refusedCount += 1;
    if (this.refused.length < REFUSED_LISTED) this.refused.push({ place, reason });
  }

  warn(message: string, place?: string): void {
    this.warnMany(message, 1, place);
  }

  /** As `warn`, for `count` rows at once. */
  warnMany(message: string, count: number, place?: string): void {
    if (count === 0) return;
    const known = this.#warnings.get(message);
    if (known === undefined) this.#warnings.set(message, { count, place: place ?? null });
    else known.count += count;
  }

  get warnings(): ImportWarning[] {
    return [...this.#warnings].map(([message, { count, place }]) => ({ message, count, place }));
  }
}
