import type { ResultMeta } from "../result/result.ts";
import type { ChartType } from "../spec/chart.ts";
import type { VegaLite } from "./drawing.ts";
import type { Picture } from "./render/request.ts";

/** How a chart is handed over: as a picture, or as what a client's own Vega draws it from. */
export type ChartContent = Picture | { readonly format: "vega_lite"; readonly spec: VegaLite };

/** A stored answer, drawn. */
export interface Chart {
  readonly id: string;
  readonly uri: string;
  readonly type: ChartType;
  /** What decided for this type, one sentence. */
  readonly reason: string;
  readonly alternatives: readonly ChartType[];
  readonly title: string;
  /** What it shows, in words; holds names from the tenant's data. */
  readonly description: string;
  readonly content: ChartContent;
  /** Rows it was drawn from. */
  readonly rowCount: number;
  /** Where the numbers come from. */
  readonly meta: Pick<
    ResultMeta,
    "result_id" | "metrics_used" | "timezone" | "data_as_of" | "warnings" | "deprecations" | "partial_buckets"
  >;
}
