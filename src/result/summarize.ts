import type { Catalog } from "../catalog/catalog.ts";
import type { Plan } from "../plan/plan.ts";
import type { Spec } from "../spec/spec.ts";
import { measureLabel } from "./columns.ts";

interface Counted {
  /** Rows of the answer. */
  readonly count: number;
  readonly total: number;
  readonly rowsRead: number;
}

/** One line a person can read: what was asked, over what time, how much came back. Carries no tenant data. */
export function summarize(
  { count, total, rowsRead }: Counted,
  { spec, plan, catalog }: { spec: Spec; plan: Plan; catalog: Catalog },
): string {
  const measures = spec.measures.map((measure) => measureLabel(measure, catalog)).join(", ");
  const dimensions = spec.dimensions.map((name) => (catalog.dimensions.get(name)?.title ?? name).toLowerCase());
  const by = dimensions.length === 0 ? "" : ` by ${dimensions.join(", ")}`;
  const per = plan.time.grain === null ? "" : ` per ${plan.time.grain}`;
  const shown = count < total ? `${count} of ${total} rows` : `${total} ${total === 1 ? "row" : "rows"}`;
  return `${measures}${by}${per}${period(plan)}: ${shown}, from ${rowsRead} records.`;
}

function period({ time, timezone }: Plan): string {
  const compared = { none: "", previous_period: ", against the period before", previous_year: ", against a year before" }[time.compare];
  if (time.from === null && time.to === null) return time.grain === null ? "" : `, all time (${timezone})${compared}`;
  if (time.from === null) return `, before ${time.to} (${timezone})${compared}`;
  if (time.to === null) return `, from ${time.from} (${timezone})${compared}`;
  return `, ${time.from} to before ${time.to} (${timezone})${compared}`;
}
