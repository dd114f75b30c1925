/** One thing wrong with the catalog's files: which file, what, and what would be right. */
export interface CatalogProblem {
  readonly file: string;
  readonly message: string;
}

/** Thrown when the catalog cannot be proven consistent; lists every finding, since an author mends them together. */
export class CatalogInvalid extends Error {
  override readonly name = "CatalogInvalid";
  readonly problems: readonly CatalogProblem[];

  constructor(problems: readonly CatalogProblem[]) {
    super(`The catalog has ${problems.length} problem(s):\n${problems.map((p) => `  ${p.file}: ${p.message}`).join("\n")}`);
    this.problems = problems;
  }
}
