import type { Catalog } from "../catalog/catalog.ts";
import { must } from "../must.ts";
import type { Spec, SpecMeasure } from "../spec/spec.ts";
import type { ResultColumn } from "./result.ts";

const GRAIN_LABEL = { day: "Day", week: "Week", month: "Month", quarter: "Quarter", year: "Year" };

/** The answer's columns: time, dimensions, measures with their comparison. */
export function resultColumns(spec: Spec, catalog: Catalog): ResultColumn[] {
  const compared = spec.time !== null && spec.time.compare !== "none";
  const time: ResultColumn[] = spec.time?.grain ? [{ name: "time", type: "date", label: GRAIN_LABEL[spec.time.grain], role: "time" }] : [];
  const dimensions = spec.dimensions.map((name): ResultColumn => {
    const { title } = must(catalog.dimensions.get(name), name);
    return { name, type: "string", label: title, role: "dimension" };
  });
  const measures = spec.measures.flatMap((measure): ResultColumn[] => {
    const { definition } = must(catalog.metrics.get(measure.name), measure.name);
    const column = { type: "number" as const, unit: definition.unit, label: measureLabel(measure, catalog) };
    const own: ResultColumn = { name: measure.as, ...column, role: "measure" };
    if (!compared) return [own];
    return [
      own,
      { ...column, name: `${measure.as}__previous`, label: `${column.label}, before`, role: "previous" },
      { name: `${measure.as}__delta_ratio`, type: "number", unit: "ratio", label: `${column.label}, change`, role: "delta_ratio" },
    ];
  });
  return [...time, ...dimensions, ...measures];
}

/** A measure for people: the metric's title, with its aggregate where the metric has several. */
export function measureLabel({ name, agg }: SpecMeasure, catalog: Catalog): string {
  const { definition, aggregates } = must(catalog.metrics.get(name), name);
  return aggregates.length > 1 ? `${definition.title} (${agg})` : definition.title;
}
