/** Returns `value`, or throws naming what was missing: for states that cannot occur, instead of `!`. */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`expected ${what}`);
  return value;
}
