import { parentPort, workerData } from "node:worker_threads";
import { Resvg } from "@resvg/resvg-js";
import { Error as ErrorLevel, logger, parse, textMetrics, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";
import { FONT } from "../theme.ts";
import { widthOf } from "../words.ts";
import type { RenderReply, RenderWorkerData } from "./pool.ts";
import { type Picture, type RenderRequest, TOO_LARGE } from "./request.ts";
import { assertHarmless, withAccessibleName } from "./svg.ts";

declare module "vega" {
  interface TextItem {
    readonly fontSize?: number;
    readonly fontWeight?: number | string;
    readonly limit?: number;
  }
  /** Exported, though its types do not say so. */
  export const textMetrics: { width: (item: TextItem, text: string | number | null | undefined) => number };
}

const { fontFiles } = (workerData ?? { fontFiles: [] }) as RenderWorkerData;
// Beside `src` in a checkout, beside `dist` in a package.
const FONTS = ["Inter-Regular.ttf", "Inter-SemiBold.ttf"].map((file) => new URL(`../../../assets/fonts/${file}`, import.meta.url).pathname);

/** Nothing is fetched, whatever a specification says. A link that resolves to nowhere: the renderer cannot bear a refusal. */
const refuse = (): Promise<never> => Promise.reject(new Error("charts fetch nothing"));
const loader = { options: {}, load: refuse, http: refuse, file: refuse, sanitize: () => Promise.resolve({ href: "#" }) };

// Without a canvas vega guesses how wide text is; the bundled typeface's own widths leave no gaps. Text with a limit is cut to it.
textMetrics.width = ({ fontSize = 11, fontWeight, limit }, text) => {
  const width = widthOf(String(text ?? ""), { size: fontSize, isSemiBold: Number(fontWeight) >= 600 });
  return limit !== undefined && limit > 0 ? Math.min(width, limit) : width;
};

// A failure is told in words: an error of vega's may hold what cannot be sent.
parentPort?.on("message", (request: RenderRequest) => {
  void render(request).then(
    (picture) => parentPort?.postMessage({ picture } satisfies RenderReply),
    (error: unknown) => parentPort?.postMessage({ error: told(error) } satisfies RenderReply),
  );
});

function told(error: unknown): NonNullable<RenderReply["error"]> {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { message, ...(stack === undefined ? {} : { stack }) };
}

/** Draws one chart. Throws TOO_LARGE where no scale makes it small enough. */
export async function render(request: RenderRequest): Promise<Picture> {
  const { title, description, format, maxBytes } = request;
  const drawn = await drawSvg(request.spec);
  assertHarmless(drawn);
  const svg = withAccessibleName(drawn, { title, description });
  const [width, height] = sizeOf(svg);
  if (format === "svg") {
    if (svg.length > maxBytes) throw new Error(TOO_LARGE);
    return { format, svg, width, height };
  }
  for (let scale = request.scale; scale >= 0.5; scale -= 0.5) {
    const png = drawPng(svg, scale);
    if (png.length <= maxBytes) return { format, png, width, height, scale };
  }
  throw new Error(TOO_LARGE);
}

async function drawSvg(spec: RenderRequest["spec"]): Promise<string> {
  const quiet = logger(ErrorLevel);
  const compiled = compile(spec as unknown as TopLevelSpec, { logger: quiet }).spec;
  const view = new View(parse(compiled, undefined, { ast: true }), {
    renderer: "none",
    loader,
    expr: expressionInterpreter,
    logger: quiet,
  });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

function drawPng(svg: string, scale: number): Uint8Array {
  const drawing = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    font: { loadSystemFonts: false, fontFiles: [...FONTS, ...fontFiles], defaultFontFamily: FONT.split(",")[0] ?? "" },
  });
  return drawing.render().asPng();
}

function sizeOf(svg: string): [number, number] {
  const found = /<svg\b[^>]*?\bwidth="([\d.]+)"[^>]*?\bheight="([\d.]+)"/.exec(svg);
  return [Math.ceil(Number(found?.[1] ?? 0)), Math.ceil(Number(found?.[2] ?? 0))];
}
