import type { Answer } from "./answer.ts";
import { isRecord } from "./json-schema.ts";

/**
 * An answer that does not show all of its result, with where the whole can be downloaded; any other answer as it is. `base` is
 * where results are served, absent where they are not.
 */
export function withDownload(answer: Answer, base: string | undefined): Answer {
  const { data, meta } = answer.structured ?? {};
  if (base === undefined || !isRecord(data) || !isRecord(meta)) return answer;
  const id = typeof data["next_cursor"] === "string" ? meta["result_id"] : data["result_id"];
  if (typeof id !== "string") return answer;
  const url = new URL(`${id}.csv`, base).href;
  return {
    text: `${answer.text}\ndownload (log in as here; also .json, .parquet): ${url}`,
    structured: { ...answer.structured, meta: { ...meta, download_url: url } },
  };
}
