/** Plain arithmetic over known values; over none it is null. */
export function sum(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((total, value) => total + value, 0);
}

export function mean(values: readonly number[]): number | null {
  const total = sum(values);
  return total === null ? null : total / values.length;
}

/** Linear interpolation between the two nearest ranks. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = share * (sorted.length - 1);
  const low = sorted[Math.floor(rank)];
  const high = sorted[Math.ceil(rank)];
  return low === undefined || high === undefined ? null : low + (high - low) * (rank - Math.floor(rank));
}

export function ratio(numerator: number | null, denominator: number | null): number | null {
  return numerator === null || denominator === null || denominator === 0 ? null : numerator / denominator;
}

/** An aggregate by its name in a spec; what is unknown does not count. */
export function aggregate(agg: string, values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  if (agg === "sum" || agg === "last") return sum(known);
  if (agg === "avg") return mean(known);
  if (agg === "min") return known.length === 0 ? null : Math.min(...known);
  if (agg === "max") return known.length === 0 ? null : Math.max(...known);
  const share = /^p(\d+)$/.exec(agg)?.[1];
  if (share === undefined) throw new Error(`no aggregate ${agg}`);
  return percentile(known, Number(share) / 100);
}
