import { App } from "@modelcontextprotocol/ext-apps";
import { type ChartFacts, type ChartSpec, type Datum, draw, type Pointed, without } from "./drawing.ts";
import { bucketText, byId, element, type Rows, tableOf } from "./page.ts";

/** A page for clients that show pages: the picture at once, then the same chart to point at, change, read as rows and open up. */
const app = new App({ name: "metricgate chart", version: "1.0.0" }, {}, { autoResize: true });

interface State {
  request: Record<string, unknown>;
  spec: ChartSpec | undefined;
  readonly hidden: Set<string>;
  theme: "light" | "dark";
}

const state: State = { request: {}, spec: undefined, hidden: new Set(), theme: "light" };
interface Content {
  readonly type: string;
  readonly text?: string;
  readonly data?: string;
  readonly mimeType?: string;
}
let drawn: { finalize(): unknown } | undefined;
const factsOf = (): ChartFacts | undefined => state.spec?.usermeta?.metricgate;

app.ontoolinput = ({ arguments: given }) => {
  state.request = { ...given };
};

app.ontoolresult = (result) => {
  const content = result.content as readonly Content[];
  const text = content[0]?.text ?? "";
  if (result.isError) return say(text);
  if (state.spec === undefined) showPicture(content.find(({ type }) => type === "image"));
  state.request["result_id"] ??= /result_id (\S+)/.exec(text)?.[1];
  void load({});
};

app.onhostcontextchanged = ({ theme }) => {
  if (theme === undefined || theme === state.theme) return;
  setTheme(theme);
  if (state.spec !== undefined) void load({});
};

function setTheme(theme: "light" | "dark"): void {
  state.theme = theme;
  document.documentElement.dataset["theme"] = theme;
}

/** The picture that came with the answer, until the chart itself is there. */
function showPicture({ data, mimeType }: Partial<Content> = {}): void {
  if (data === undefined || mimeType !== "image/png") return;
  const image = element("img");
  image.alt = "";
  image.src = `data:${mimeType};base64,${data}`;
  byId("chart").replaceChildren(image);
}

function say(problem: string | undefined): void {
  const place = byId("problem");
  place.hidden = problem === undefined;
  place.textContent = problem ?? "";
}

/** Calls a tool of the server through the host; tells of a refusal and returns nothing then. */
async function call(
  name: string,
  input: Record<string, unknown>,
): Promise<{ content: readonly Content[]; structured: unknown } | undefined> {
  try {
    const result = await app.callServerTool({ name, arguments: input });
    const content = result.content as readonly Content[];
    say(result.isError ? content[0]?.text : undefined);
    return result.isError ? undefined : { content, structured: result.structuredContent };
  } catch {
    say("This client does not let the chart ask for more.");
    return undefined;
  }
}

async function load(change: Record<string, unknown>): Promise<void> {
  // The host may have spoken before it was heard.
  setTheme(app.getHostContext()?.theme ?? state.theme);
  const request = { ...state.request, theme: state.theme, ...change, format: "vega_lite" };
  const found = await call("render_chart", request);
  const text = found?.content[1]?.text;
  if (text === undefined) return;
  state.request = { ...state.request, ...change };
  state.spec = JSON.parse(text) as ChartSpec;
  state.hidden.clear();
  showTypes();
  await show();
}

async function show(): Promise<void> {
  if (state.spec === undefined) return;
  const place = element("div");
  // Vega names it by the specification's description, for who cannot see it.
  const view = await draw(without(state.spec, state.hidden), place, { onPoint: point, onClick: (pointed) => void open(pointed) });
  drawn?.finalize();
  drawn = view;
  byId("chart").replaceChildren(place);
  showHidden();
}

function showTypes(): void {
  const facts = factsOf();
  const types = facts === undefined ? [] : [facts.type, ...facts.alternatives];
  byId("types").replaceChildren(
    ...types.map((type, index) => {
      const button = element("button", type.replaceAll("_", " "));
      button.type = "button";
      button.dataset["type"] = type;
      button.setAttribute("aria-pressed", String(index === 0));
      // The wished-for columns were another chart's: let the server place them anew.
      button.addEventListener("click", () => void load({ type, x: null, y: null, color: null, facet: null }));
      return button;
    }),
  );
}

function showHidden(): void {
  const place = byId("hidden");
  place.hidden = state.hidden.size === 0;
  place.replaceChildren(
    "hidden:",
    ...[...state.hidden].map((name) => {
      const button = element("button", `${name} ×`);
      button.addEventListener("click", () => toggle(name));
      return button;
    }),
  );
}

function toggle(series: string): void {
  if (!state.hidden.delete(series)) state.hidden.add(series);
  void show();
}

function point(pointed: Pointed | undefined): void {
  const tip = byId("tip");
  const lines = pointed === undefined ? [] : tipLines(pointed.datum);
  tip.hidden = pointed === undefined || lines.length === 0;
  byId("chart").classList.toggle("opens", pointed !== undefined && (canOpen(pointed.datum) || pointed.series !== undefined));
  if (pointed === undefined || lines.length === 0) return;
  const [first = "", ...rest] = lines;
  tip.replaceChildren(element("b", first), element("span", rest.join(": ")));
  if (canOpen(pointed.datum)) tip.append(element("i", rest.length > 0 ? " · click for issues" : "click for issues"));
  tip.style.left = `${Math.min(pointed.clientX + 14, innerWidth - 200)}px`;
  tip.style.top = `${pointed.clientY + 14}px`;
}

function tipLines({ x, week, name, series, y, a, b, text }: Datum): string[] {
  const { grain = null } = factsOf() ?? {};
  const day = (ms: number): string => bucketText(ms, grain);
  const place = name ?? (typeof x === "number" ? day(x) : x) ?? (week === undefined ? undefined : `week of ${day(week)}`);
  const number = (value: number): string => value.toLocaleString(undefined, { maximumFractionDigits: 2 });
  const value =
    text ?? (y === null || y === undefined ? [a, b].flatMap((each) => (each === undefined ? [] : number(each))).join(", ") : number(y));
  return [place, series, value].filter((line): line is string => line !== undefined && line !== "");
}

const canOpen = ({ row, measure }: Datum): boolean => row !== undefined && row >= 0 && measure !== undefined;

/** A click on a name hides its series; one on a number shows the issues behind it. */
async function open({ datum, series }: Pointed): Promise<void> {
  if (series !== undefined) return toggle(series);
  const { row, measure } = datum;
  if (!canOpen(datum)) return;
  const found = await call("drill_down", { result_id: factsOf()?.result_id, row: String(row), measure, limit: 50 });
  const data = (found?.structured as { data?: Rows } | undefined)?.data;
  if (data === undefined) return;
  const heading = element("h2", `Behind ${tipLines(datum).join(", ")}`);
  const close = element("button", "Close");
  close.addEventListener("click", () => void (byId("issues").hidden = true));
  heading.append(close);
  byId("issues").replaceChildren(heading, tableOf(data));
  byId("issues").hidden = false;
}

byId("table").addEventListener("click", () => void toggleTable());

async function toggleTable(): Promise<void> {
  const [button, place] = [byId("table"), byId("rows")];
  const isShown = place.hidden;
  if (isShown && place.childElementCount === 0) {
    const found = await call("get_result", { result_id: factsOf()?.result_id ?? state.request["result_id"], limit: 200 });
    const data = (found?.structured as { data?: Rows } | undefined)?.data;
    if (data === undefined) return;
    place.replaceChildren(tableOf(data));
  }
  place.hidden = !isShown;
  button.setAttribute("aria-pressed", String(isShown));
}

void app.connect().then(() => setTheme(app.getHostContext()?.theme ?? "light"));
