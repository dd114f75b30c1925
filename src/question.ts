import type { Catalog } from "./catalog/catalog.ts";
import type { Rows } from "./db/database.ts";
import type { DataVersion, Question } from "./execute/execution.ts";
import { ADMISSION_LIMITS } from "./execute/limits.ts";
import type { Stage } from "./observe/observation.ts";
import { dayIn } from "./plan/calendar.ts";
import type { Plan } from "./plan/plan.ts";
import { probeOf } from "./plan/probe.ts";
import { withNearestValues } from "./result/missing-values.ts";
import { type Answer, shape } from "./result/shape.ts";
import { valueList } from "./result/value-list.ts";
import { jobCall } from "./spec/job-call.ts";
import { SPEC_VERSION } from "./spec/parse.ts";
import type { Spec } from "./spec/spec.ts";
import { compile } from "./sql/compile.ts";
import type { Statement } from "./sql/fragment.ts";
import { compileDataShape, compileDataVersion } from "./sql/state.ts";
import { compileValues } from "./sql/values.ts";
import type { Principal } from "./tenant.ts";

/** Values that are looked through for what was probably meant. */
const KNOWN_VALUES = 200;

export interface Compiled {
  readonly spec: Spec;
  readonly plan: Plan;
  readonly statement: Statement;
}

export interface Asking {
  /** As Question.version. */
  readonly version?: Promise<DataVersion | null>;
  readonly catalog: Catalog;
  readonly principal: Principal;
  readonly now: () => Date;
  readonly timed: <T>(stage: Stage, work: () => T | Promise<T>) => Promise<T>;
}

/** A compiled spec as what is executed: how to run it, how heavy it is, what its answer depends on and how it is made. */
export function questionOf({ spec, plan, statement }: Compiled, { catalog, principal, now, timed, version }: Asking): Question<Answer> {
  const today = dayIn(spec.timezone, now());
  return {
    principal,
    statement,
    about: [SPEC_VERSION, catalog.version, catalog.hash, spec, plan, today],
    asJob: jobCall(spec),
    versionStatement: compileDataVersion(principal, catalog),
    ...(version === undefined ? {} : { version }),
    shapeStatement: () => compileDataShape(principal, catalog, ADMISSION_LIMITS.countedRows),
    weightKey: [statement.text, principal.allowed, plan.facts.map((fact) => fact.filters), month(plan.time.from), month(plan.time.to)],
    weigh: (span) => {
      const { closed, groups, buckets } = probeOf(plan, span ?? { firstDay: today, lastDay: today });
      return {
        buckets,
        statement: compile(closed, principal, catalog),
        groups: groups && compile(groups, principal, catalog),
        multiplies: plan.dimensions.some((dimension) => dimension.multiValued),
      };
    },
    timed: (run) => timed("execute", run),
    finish: (rows, read) =>
      timed("shape", async () => {
        const answer = shape(rows, { spec, plan, catalog });
        const near = nearestValues({ catalog, principal }, read);
        const value = await withNearestValues(answer, near.known);
        return { value, isWhole: near.areWhole(), dataVersion: answer.dataVersion };
      }),
  };
}

/** The values that a dimension has, for a hint at what was meant; whether each look-up succeeded. */
export function nearestValues(
  { catalog, principal }: Pick<Asking, "catalog" | "principal">,
  read: (statement: Statement) => Promise<Rows>,
) {
  let areWhole = true;
  return {
    areWhole: () => areWhole,
    known: (dimension: string): Promise<readonly (string | null)[]> =>
      read(compileValues({ dimension, search: null, limit: KNOWN_VALUES }, principal, catalog)).then(
        (found) => valueList(dimension, found).values.map(({ value }) => value),
        // The answer stands without the hint, so a look-up that fails takes only the hint away.
        () => {
          areWhole = false;
          return [];
        },
      ),
  };
}

const month = (day: string | null): string | null => day && day.slice(0, 7);
