import { Error as ErrorLevel, type Item, type Legend, logger, parse, type Spec, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";

/** A Vega-Lite specification as the server makes it. */
export interface ChartSpec {
  readonly usermeta?: { readonly metricgate?: ChartFacts };
  readonly [key: string]: unknown;
}

/** What the server says of a chart beside what is drawn. */
export interface ChartFacts {
  readonly result_id: string;
  readonly type: string;
  readonly alternatives: readonly string[];
  readonly title: string;
  readonly description: string;
  /** Of the time column; null where there is none. */
  readonly grain: "day" | "week" | "month" | "quarter" | "year" | null;
}

/** What a mark stands for, under the server's names for it. */
export interface Datum {
  readonly row?: number;
  readonly measure?: string;
  readonly x?: string | number;
  readonly week?: number;
  readonly name?: string;
  readonly series?: string;
  readonly text?: string;
  readonly y?: number | null;
  readonly a?: number;
  readonly b?: number;
}

export interface Pointed {
  readonly datum: Datum;
  /** A name of a series in a legend or beside a line. */
  readonly series: string | undefined;
  readonly clientX: number;
  readonly clientY: number;
}

export interface Listeners {
  readonly onPoint: (pointed: Pointed | undefined) => void;
  readonly onClick: (pointed: Pointed) => void;
}

const refuse = (): Promise<never> => Promise.reject(new Error("charts fetch nothing"));
const loader = { options: {}, load: refuse, http: refuse, file: refuse, sanitize: () => Promise.resolve({ href: "#" }) };

/** Draws a specification into an element, interpreted, since the page may evaluate nothing. */
export async function draw(spec: ChartSpec, element: HTMLElement, { onPoint, onClick }: Listeners): Promise<View> {
  const quiet = logger(ErrorLevel);
  const compiled = compile(spec as unknown as TopLevelSpec, { logger: quiet }).spec;
  const view = new View(parse(withLiveLegends(compiled), undefined, { ast: true }), {
    renderer: "svg",
    container: element,
    loader,
    expr: expressionInterpreter,
    logger: quiet,
    hover: false,
  });
  view.addEventListener("mousemove", (event, item) => onPoint(pointedOf(event as MouseEvent, item)));
  view.addEventListener("mouseout", () => onPoint(undefined));
  view.addEventListener("click", (event, item) => {
    const pointed = pointedOf(event as MouseEvent, item);
    if (pointed !== undefined) onClick(pointed);
  });
  await view.runAsync();
  return view;
}

/** Vega's legends feel no pointer unless they are told to. */
function withLiveLegends<T extends Spec>(spec: T): T {
  const live = (legend: Legend): Legend => {
    const encode = legend.encode ?? {};
    return {
      ...legend,
      encode: { ...encode, symbols: { ...encode.symbols, interactive: true }, labels: { ...encode.labels, interactive: true } },
    };
  };
  return spec.legends === undefined ? spec : { ...spec, legends: spec.legends.map(live) };
}

function pointedOf(event: MouseEvent, item: Item | null | undefined): Pointed | undefined {
  if (item === null || item === undefined) return undefined;
  const { clientX, clientY } = event;
  const role = String((item.mark as { role?: string } | undefined)?.role ?? "");
  const datum = (item.datum ?? {}) as Datum & { value?: unknown };
  if (role.startsWith("legend") && typeof datum.value === "string") return { datum: {}, series: datum.value, clientX, clientY };
  if (role !== "mark") return undefined;
  const isName = (item.mark as { marktype?: string }).marktype === "text" && datum.row === undefined;
  return { datum, series: isName ? datum.series : undefined, clientX, clientY };
}

/** Rows of data; an axis has a list of values too. */
function isData(values: unknown): values is object[] {
  return Array.isArray(values) && values.every((value) => typeof value === "object" && value !== null);
}

/** The same specification without the data of some series and without sums over all; colours and places stay. */
export function without(spec: ChartSpec, hidden: ReadonlySet<string>): ChartSpec {
  const filtered = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(filtered);
    if (typeof node !== "object" || node === null) return node;
    const entries = Object.entries(node).map(([key, value]) => [
      key,
      key === "values" && isData(value) ? value.filter(isShown) : filtered(value),
    ]);
    return Object.fromEntries(entries) as unknown;
  };
  const isShown = (value: unknown): boolean => {
    if (typeof value !== "object" || value === null || "isSum" in value) return false;
    return !("series" in value && hidden.has(String(value.series)));
  };
  return hidden.size === 0 ? spec : (filtered(spec) as ChartSpec);
}
