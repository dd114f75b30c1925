import type { ImportFormat } from "./formats.ts";
import { githubJsonSource } from "./github-json.ts";
import { jiraCsvSource } from "./jira-csv.ts";
import { jiraJsonSource } from "./jira-json.ts";
import type { Mapping } from "./mapping.ts";
import { neutralSource } from "./neutral.ts";
import type { Source } from "./source.ts";

/** The source that reads `path` in a format. Nothing is read before the import runs. */
export function openSource(format: ImportFormat, path: string, mapping: Mapping | null = null): Source {
  const options = { storyPointsField: mapping?.storyPointsField ?? null };
  switch (format) {
    case "neutral":
      return neutralSource(path);
    case "jira-json":
      return jiraJsonSource(path, options);
    case "jira-csv":
      return jiraCsvSource(path, options);
    case "github-json":
      return githubJsonSource(path);
  }
}
