/** Colours of a chart on one kind of page. */
export interface Palette {
  readonly background: string;
  readonly text: string;
  /** Text of second rank: axes, subtitles. */
  readonly quiet: string;
  readonly grid: string;
  readonly axis: string;
  /** Series, in order; told apart by colour-blind readers too. */
  readonly series: readonly string[];
  /** What is not one of the series: the rest, the ideal, the target. */
  readonly neutral: string;
  /** Fill of bands and tracks behind the data. */
  readonly track: string;
  readonly signal: string;
  readonly better: string;
  readonly worse: string;
  /** Few to many, in one hue. */
  readonly ramp: readonly string[];
  /** Less than nothing to more than nothing; the middle is zero. */
  readonly diverging: readonly string[];
}

export type Theme = "light" | "dark";

/** Okabe and Ito's colours, which the three kinds of colour blindness tell apart; on dark pages the dim ones are lightened. */
export const PALETTES: Readonly<Record<Theme, Palette>> = {
  light: {
    background: "#ffffff",
    text: "#1f2328",
    quiet: "#5b636d",
    grid: "#e7e9ec",
    axis: "#9aa2ab",
    series: ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"],
    neutral: "#8b939c",
    track: "#eceef1",
    signal: "#D55E00",
    better: "#00805d",
    worse: "#b84f00",
    ramp: ["#e8f1f9", "#b5d4ea", "#6aaed6", "#2979b5", "#0b4a82"],
    diverging: ["#b35806", "#f3b877", "#f4f5f7", "#8cc0e3", "#0b5a9a"],
  },
  dark: {
    background: "#15181d",
    text: "#e9ecf0",
    quiet: "#a3abb5",
    grid: "#2b3038",
    axis: "#5d6670",
    series: ["#56B4E9", "#E69F00", "#2CC295", "#FF7F3F", "#E29BC2", "#C9D4E0"],
    neutral: "#8b939c",
    track: "#262b33",
    signal: "#FF7F3F",
    better: "#3fcf9f",
    worse: "#ff925c",
    ramp: ["#1d2a38", "#1f4a6e", "#2b74a8", "#56a9dc", "#a9dbfb"],
    diverging: ["#f0a35c", "#8a5a2b", "#22272e", "#2b6a98", "#7cc4f2"],
  },
};

/** Marks that tell series apart without colour. */
export const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"] as const;
export const DASHES: readonly (readonly number[])[] = [[], [6, 3], [1.5, 4], [9, 4, 1.5, 4], [12, 5], [5, 4, 1.5, 4, 1.5, 4]];

/** The bundled typeface; where a page lacks it, the page's own. */
export const FONT = "Inter, system-ui, sans-serif";

/** Vega-Lite's `config`: quiet axes, a horizontal grid, no frame. */
export function themeConfig(palette: Palette): Readonly<Record<string, unknown>> {
  const small = { labelFontSize: 11, titleFontSize: 11, labelColor: palette.quiet, titleColor: palette.quiet, titleFontWeight: 400 };
  return {
    font: FONT,
    view: { stroke: null },
    axis: { ...small, labelPadding: 6, ticks: false, domain: false, grid: false, labelLimit: 240, titleLimit: 500 },
    axisX: { domain: true, domainColor: palette.axis, labelPadding: 8, titlePadding: 10 },
    axisY: { gridColor: palette.grid },
    axisQuantitative: { gridColor: palette.grid },
    legend: {
      ...small,
      labelColor: palette.text,
      orient: "top",
      title: null,
      labelLimit: 190,
      symbolSize: 90,
      columnPadding: 18,
      offset: 12,
      padding: 0,
    },
    header: {
      labelFontSize: 12,
      labelFontWeight: 600,
      labelColor: palette.text,
      title: null,
      labelLimit: 190,
      labelAnchor: "start",
      labelPadding: 6,
    },
    title: {
      anchor: "start",
      frame: "bounds",
      align: "left",
      color: palette.text,
      fontSize: 16,
      fontWeight: 600,
      subtitleColor: palette.quiet,
      subtitleFontSize: 12,
      subtitlePadding: 6,
      offset: 18,
      limit: 0,
    },
    text: { color: palette.text, fontSize: 11, limit: 260 },
    rule: { color: palette.axis },
    bar: { color: palette.series[0] },
    line: { color: palette.series[0], strokeWidth: 2.25, strokeJoin: "round", strokeCap: "round" },
    point: { color: palette.series[0], filled: true, size: 45, opacity: 1 },
    range: { category: palette.series },
  };
}

/** A colour between two, both as #rrggbb; `share` of the second. */
export function mixed(one: string, other: string, share: number): string {
  const channels = (color: string): number[] => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  const [first, second] = [channels(one), channels(other)];
  return `#${first
    .map((value, index) =>
      Math.round(value * (1 - share) + (second[index] ?? 0) * share)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}
