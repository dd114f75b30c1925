/** One thing that must hold for the walls to stand, as data. */
export interface Rule {
  /** Stable name, as printed and as tests expect it. */
  readonly id: string;
  /** What holds where the rule is kept, one sentence. */
  readonly means: string;
  /** Its rows are what breaks it: the object, and what about it. Catalogues only, so that any login can ask. */
  readonly sql: string;
  /** What an operator does about it. */
  readonly fix: string;
}

/** One object that breaks a rule. */
export interface Finding {
  readonly object: string;
  readonly detail: string;
}

/** How one rule, or one piece of behaviour, stands. */
export interface Outcome {
  readonly id: string;
  readonly means: string;
  readonly findings: readonly Finding[];
  readonly fix: string;
  /** What could not be shown on this database, and why; it is no finding. */
  readonly notShown?: string;
}
