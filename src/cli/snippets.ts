import { join } from "node:path";

/** How this program is started by a client: from a checkout through its own Node, from a package by name. */
function command(): { command: string; args: string[] } {
  const entry = join(import.meta.dirname, "..", import.meta.filename.endsWith(".ts") ? "main.ts" : "main.js");
  return { command: process.execPath, args: [entry, "serve", "--stdio"] };
}

/** How to connect the clients people have, ready to paste. */
export function connectSnippets(url: string): string {
  const stdio = command();
  const desktop = JSON.stringify({ mcpServers: { metricgate: stdio } }, null, 2);
  const vscode = JSON.stringify({ servers: { metricgate: { type: "http", url } } });
  const cursor = JSON.stringify({ mcpServers: { metricgate: { url } } });
  return `Connect a client:

Claude Desktop   Settings → Developer → Edit Config (claude_desktop_config.json):
${desktop.replaceAll(/^/gm, "  ")}

Claude Code      claude mcp add --transport http metricgate ${url}

VS Code          .vscode/mcp.json:  ${vscode}

Cursor           ~/.cursor/mcp.json:  ${cursor}
`;
}
