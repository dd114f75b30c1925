import type { ContentBlock } from "@modelcontextprotocol/server";
import type { Chart } from "../chart/chart.ts";
import type { Answer } from "./answer.ts";
import { untrusted, visible } from "./visible.ts";

/**
 * A chart as text and picture, without structured content: clients that find some show the model nothing else. What it
 * shows is said in words first, since not every client shows pictures.
 */
export function chartAnswer(chart: Chart): Answer {
  const text = chartText(chart);
  return { text, content: contentOf(chart) };
}

function chartText({ uri, reason, alternatives, title, description, meta }: Chart): string {
  const others = alternatives.length === 0 ? "" : `; also possible: ${alternatives.join(", ")}`;
  const metrics = meta.metrics_used.map(({ name, version }) => `${name} ${version}`).join(", ");
  return [
    untrusted([visible(title), visible(description), ...meta.warnings.map((warning) => `warning: ${visible(warning)}`)]),
    `chart ${visible(reason)}${others}`,
    `${uri} (add .svg for a drawing that scales); result_id ${meta.result_id}`,
    `metrics: ${metrics}; data as of ${meta.data_as_of ?? "never imported"}; time zone ${meta.timezone}`,
    ...meta.deprecations.map((deprecation) => `deprecated: ${visible(deprecation)}`),
    ...(meta.partial_buckets.length === 0 ? [] : [`incomplete buckets: ${meta.partial_buckets.join(", ")}`]),
  ].join("\n");
}

/** A drawing or a specification is text of its own, which a client's program can take as it is. */
function contentOf({ content }: Chart): readonly ContentBlock[] {
  if (content.format === "png") return [{ type: "image", data: Buffer.from(content.png).toString("base64"), mimeType: "image/png" }];
  return [{ type: "text", text: content.format === "svg" ? content.svg : JSON.stringify(content.spec) }];
}
