import { fromJsonSchema, ResourceTemplate } from "@modelcontextprotocol/server";
import type { CallToolResult, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { Announce } from "../../src/mcp/announce.ts";

// A red pixel and an empty sound, the smallest files of their kinds.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

export const nothing = z.object({});
export const textResult = (text: string): CallToolResult => ({ content: [{ type: "text", text }] });

/** Tools, resources and prompts whose names and answers the conformance suite prescribes. */
export function registerContent(server: McpServer, announce: () => Announce): void {
  registerContentTools(server);
  registerNoticeTools(server, announce);
  registerResources(server);
  registerTestPrompts(server);
  server.server.setRequestHandler("completion/complete", () => ({ completion: { values: [], total: 0, hasMore: false } }));
}

function registerContentTools(server: McpServer): void {
  const embedded = (uri: string, mimeType: string, text: string) => ({ type: "resource" as const, resource: { uri, mimeType, text } });
  const image = { type: "image" as const, data: PNG, mimeType: "image/png" };
  const fixed: Record<string, CallToolResult> = {
    test_simple_text: textResult("This is a simple text response for testing."),
    test_streaming_elicitation: textResult("done"),
    test_image_content: { content: [image] },
    test_audio_content: { content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }] },
    test_embedded_resource: { content: [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")] },
    test_multiple_content_types: {
      content: [
        { type: "text", text: "Multiple content types test:" },
        image,
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
      ],
    },
  };
  for (const [name, result] of Object.entries(fixed)) server.registerTool(name, { description: name, inputSchema: nothing }, () => result);
  server.registerTool("test_error_handling", { description: "fails", inputSchema: nothing }, () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  server.registerTool("json_schema_2020_12_tool", { description: "has a rich schema", inputSchema: fromJsonSchema(RICH_SCHEMA) }, (input) =>
    textResult(JSON.stringify(input)),
  );
  server.registerTool(
    "test_x_mcp_header",
    {
      description: "mirrors an argument into a header",
      inputSchema: fromJsonSchema<{ region?: string }>(HEADER_SCHEMA),
    },
    ({ region }) => textResult(`region=${region ?? "none"}`),
  );
}

const HEADER_SCHEMA: Parameters<typeof fromJsonSchema>[0] & object = {
  type: "object",
  properties: { region: Object.assign({ type: "string" as const }, { "x-mcp-header": "Region" }), level: { type: "integer" } },
};

const RICH_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: { address: { $anchor: "addressDef", type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
} as const;

function registerNoticeTools(server: McpServer, announce: () => Announce): void {
  server.registerTool("test_tool_with_logging", { description: "logs", inputSchema: nothing }, async (_input, { mcpReq }) => {
    for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await mcpReq.notify({ method: "notifications/message", params: { level: "info", data } });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return textResult("logged");
  });
  server.registerTool("test_logging_tool", { description: "logs where asked to", inputSchema: nothing }, async (_input, { mcpReq }) => {
    await mcpReq.log("info", "test_logging_tool ran");
    return textResult("logged");
  });
  server.registerTool("test_tool_with_progress", { description: "reports progress", inputSchema: nothing }, async (_input, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
      await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return textResult(String(progressToken));
  });
  server.registerTool("test_trigger_tool_change", { description: "announces", inputSchema: nothing }, () => {
    announce().toolsChanged();
    return textResult("announced");
  });
  server.registerTool("test_trigger_prompt_change", { description: "announces", inputSchema: nothing }, () => {
    announce().promptsChanged();
    return textResult("announced");
  });
}

function registerResources(server: McpServer): void {
  const text = (uri: string, content: string, mimeType = "text/plain") => ({ contents: [{ uri, mimeType, text: content }] });
  server.registerResource("static-text", "test://static-text", { mimeType: "text/plain" }, ({ href }) =>
    text(href, "This is the content of the static text resource."),
  );
  server.registerResource("watched-resource", "test://watched-resource", { mimeType: "text/plain" }, ({ href }) =>
    text(href, "Watched resource content"),
  );
  server.registerResource("static-binary", "test://static-binary", { mimeType: "image/png" }, ({ href }) => ({
    contents: [{ uri: href, mimeType: "image/png", blob: PNG }],
  }));
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { mimeType: "application/json" },
    ({ href }, { id }) => text(href, JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }), "application/json"),
  );
}

function registerTestPrompts(server: McpServer): void {
  const says = (text: string) => ({ messages: [{ role: "user" as const, content: { type: "text" as const, text } }] });
  server.registerPrompt("test_simple_prompt", { description: "simple" }, () => says("This is a simple prompt for testing."));
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "two arguments", argsSchema: z.object({ arg1: z.string().describe("First"), arg2: z.string().describe("Second") }) },
    ({ arg1, arg2 }) => says(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "embeds", argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        {
          role: "user",
          content: {
            type: "resource",
            resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." },
          },
        },
        { role: "user", content: { type: "text", text: "Please process the embedded resource above." } },
      ],
    }),
  );
  server.registerPrompt("test_prompt_with_image", { description: "shows" }, () => ({
    messages: [
      { role: "user", content: { type: "image", data: PNG, mimeType: "image/png" } },
      { role: "user", content: { type: "text", text: "Please analyze the image above." } },
    ],
  }));
}
