/** Bounds of one call (CONTRACT.md section 3). The only place where they are numbers. */
export const INTERACTIVE_LIMITS = { rows: 1_000, timeoutMs: 30_000 } as const;
