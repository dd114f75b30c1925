import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with one plain line that any machine can read: `tests: N passed, N failed`. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const count = (state: string): number => states.filter((own) => own === state).length;
    const broken = modules.filter((module) => module.state() === "failed" && [...module.children.allTests("failed")].length === 0).length;
    const skipped = count("skipped");
    process.stdout.write(
      `\ntests: ${count("passed")} passed, ${count("failed") + broken + errors.length} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`,
    );
  }
}
