import { must } from "../must.ts";

/** Natural limits of an XmR chart: the mean of the values and what lies within common variation of it. */
export interface XmrLimits {
  readonly mean: number;
  /** Upper and lower natural process limits: mean ± 2.66 × the mean moving range. */
  readonly upper: number;
  readonly lower: number;
  /** Per value: `beyond` a limit, or the eighth and later of a `run` on one side of the mean (Wheeler). */
  readonly signals: readonly ("beyond" | "run" | null)[];
}

const XMR_FACTOR = 2.66;
const RUN_LENGTH = 8;

/** Limits of individual values in time order; `floor` is a bound that values cannot pass, as 0 for counts. */
export function xmrLimits(values: readonly number[], floor: number): XmrLimits {
  const mean = meanOf(values);
  const ranges = values.slice(1).map((value, index) => Math.abs(value - must(values[index], "the value before")));
  const spread = XMR_FACTOR * (ranges.length === 0 ? 0 : meanOf(ranges));
  const upper = mean + spread;
  const lower = Math.max(floor, mean - spread);
  let side = 0;
  let length = 0;
  const signals = values.map((value) => {
    const now = Math.sign(value - mean);
    length = now !== 0 && now === side ? length + 1 : 1;
    side = now;
    if (value > upper || value < lower) return "beyond" as const;
    return length >= RUN_LENGTH ? ("run" as const) : null;
  });
  return { mean, upper, lower, signals };
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The quantile by linear interpolation, as PostgreSQL's percentile_cont. `sorted` ascends and has a value. */
export function quantile(sorted: readonly number[], fraction: number): number {
  const at = (sorted.length - 1) * fraction;
  const below = must(sorted[Math.floor(at)], "a value");
  const above = must(sorted[Math.ceil(at)], "a value");
  return below + (above - below) * (at - Math.floor(at));
}

export interface Bin {
  readonly from: number;
  /** Exclusive, but for the last bin. */
  readonly to: number;
  readonly count: number;
}

/** Equal bins on round borders, about as many as the Freedman–Diaconis rule asks for. `values` has at least one. */
export function bins(values: readonly number[], { isInteger }: { readonly isInteger: boolean }): Bin[] {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [must(sorted[0], "a value"), must(sorted.at(-1), "a value")];
  const spread = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  const ideal = spread > 0 ? (2 * spread) / Math.cbrt(sorted.length) : 0;
  const count = ideal > 0 ? (high - low) / ideal : Math.sqrt(sorted.length);
  const width = roundStep((high - low || 1) / Math.min(24, Math.max(5, count)), isInteger);
  const first = Math.floor(low / width);
  const last = Math.max(first, Math.ceil(high / width) - 1);
  const counts = Array.from({ length: last - first + 1 }, () => 0);
  for (const value of sorted) {
    const index = Math.min(Math.floor(value / width) - first, counts.length - 1);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map((found, index) => ({ from: tidy((first + index) * width), to: tidy((first + index + 1) * width), count: found }));
}

export interface Box {
  readonly low: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly high: number;
  /** Beyond 1.5 × the interquartile range from the box. */
  readonly outliers: readonly number[];
  readonly count: number;
}

/** Tukey's box of at least one value: whiskers end at the last value within 1.5 interquartile ranges. */
export function boxOf(values: readonly number[]): Box {
  const sorted = values.toSorted((a, b) => a - b);
  const [q1, median, q3] = [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)];
  const reach = 1.5 * (q3 - q1);
  const inside = sorted.filter((value) => value >= q1 - reach && value <= q3 + reach);
  return {
    low: Math.min(must(inside[0], "a value"), q1),
    q1,
    median,
    q3,
    high: Math.max(must(inside.at(-1), "a value"), q3),
    outliers: sorted.filter((value) => value < q1 - reach || value > q3 + reach),
    count: sorted.length,
  };
}

/** Running totals. */
export function cumulative(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => (sum += value));
}

export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly step: number;
}

/** A scale on round borders that holds all values, about `ticks` steps. */
export function roundScale(
  values: readonly number[],
  options: { readonly isInteger?: boolean; readonly hasZero?: boolean; readonly ticks?: number } = {},
): Scale {
  const { isInteger = false, hasZero = true, ticks = 5 } = options;
  const all = [...values, ...(hasZero || values.length === 0 ? [0] : [])];
  let low = all[0] ?? 0;
  let high = low;
  for (const value of all) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === high) high = low + 1;
  const step = roundStep((high - low) / ticks, isInteger);
  return { low: tidy(Math.floor(low / step + 1e-9) * step), high: tidy(Math.ceil(high / step - 1e-9) * step), step };
}

/** The smallest of 1, 2, 2.5 and 5 × a power of ten that is not below `size`; of integers a whole number. */
function roundStep(size: number, isInteger: boolean): number {
  const power = 10 ** Math.floor(Math.log10(size));
  const factors = isInteger ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10];
  const step = power * (factors.find((factor) => factor * power >= size * (1 - 1e-9)) ?? 10);
  return isInteger ? Math.max(1, step) : step;
}

/** Without the noise of binary fractions: 0.30000000000000004 is 0.3. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** Places labels near where they belong without overlap: moved apart to `gap` and kept within 0 and `size`. */
export function spread(wanted: readonly number[], { gap, size }: { readonly gap: number; readonly size: number }): number[] {
  const order = wanted.map((_, index) => index).toSorted((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const placed = [...wanted];
  let floor = -Infinity;
  for (const index of order) {
    placed[index] = Math.max(placed[index] ?? 0, floor);
    floor = (placed[index] ?? 0) + gap;
  }
  let ceiling = size;
  for (const index of order.toReversed()) {
    placed[index] = Math.min(placed[index] ?? 0, ceiling);
    ceiling = (placed[index] ?? 0) - gap;
  }
  return placed;
}
