/** The formats of `metricgate import`. */
export const IMPORT_FORMATS = ["neutral", "jira-json", "jira-csv", "github-json"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];
