import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import type {
  CallToolResult,
  ClientCapabilities,
  ElicitRequestFormParams,
  EventStore,
  InputRequests,
  InputRequiredResult,
  McpServer,
  ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { nothing, textResult } from "./fixtures-content.ts";

type Schema = ElicitRequestFormParams["requestedSchema"];

/** Seals what a tool keeps between rounds; the suite sends it back altered. */
export const requestState = createRequestStateCodec<Record<string, unknown>>({ key: crypto.getRandomValues(new Uint8Array(32)) });

const asks = (message: string, name: string, type: "string" | "boolean" = "string") => {
  const property = type === "string" ? { type: "string" as const } : { type: "boolean" as const };
  return inputRequired.elicit({ message, requestedSchema: { type: "object", properties: { [name]: property }, required: [name] } });
};
const sampling = (text: string) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text } }], maxTokens: 50 });
const nonce = () => crypto.randomUUID();

/** Tools that talk back: by requests to the client in the older era, by asking for input in the newer one. */
export function registerDialogue(server: McpServer): void {
  registerPushTools(server);
  registerRoundTrips(server);
  registerStatefulRounds(server);
}

function registerPushTools(server: McpServer): void {
  const elicits = async ({ mcpReq }: ServerContext, message: string, requestedSchema: Schema): Promise<CallToolResult> => {
    const { action, content } = await mcpReq.send({ method: "elicitation/create", params: { message, requestedSchema } });
    return textResult(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);
  };
  server.registerTool(
    "test_sampling",
    { description: "samples", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      const answer = await mcpReq.send({
        method: "sampling/createMessage",
        params: { messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 },
      });
      return textResult(`LLM response: ${JSON.stringify(answer.content)}`);
    },
  );
  server.registerTool("test_elicitation", { description: "asks", inputSchema: z.object({ message: z.string() }) }, ({ message }, context) =>
    elicits(context, message, { type: "object", properties: { response: { type: "string" } }, required: ["response"] }),
  );
  server.registerTool("test_elicitation_sep1034_defaults", { description: "asks with defaults", inputSchema: nothing }, (_input, context) =>
    elicits(context, "Please review", DEFAULTS),
  );
  server.registerTool("test_elicitation_sep1330_enums", { description: "asks with choices", inputSchema: nothing }, (_input, context) =>
    elicits(context, "Please select", CHOICES),
  );
  server.registerTool("test_reconnection", { description: "breaks its stream", inputSchema: nothing }, async (_input, { http }) => {
    http?.closeSSE?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return textResult("Reconnection test completed successfully.");
  });
}

const DEFAULTS: Schema = {
  type: "object",
  properties: {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  },
  required: [],
};

const titled = (names: readonly string[]) => names.map((title, at) => ({ const: `value${at + 1}`, title }));
const options = ["option1", "option2", "option3"];
const CHOICES: Schema = {
  type: "object",
  properties: {
    untitledSingle: { type: "string", enum: options },
    titledSingle: { type: "string", oneOf: titled(["First Option", "Second Option", "Third Option"]) },
    legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
    untitledMulti: { type: "array", minItems: 1, maxItems: 3, items: { type: "string", enum: options } },
    titledMulti: { type: "array", minItems: 1, maxItems: 3, items: { anyOf: titled(["First Choice", "Second Choice", "Third Choice"]) } },
  },
  required: [],
};

type Round = (context: ServerContext) => CallToolResult | InputRequiredResult | Promise<CallToolResult | InputRequiredResult>;

/** What the client answered under `key`, when it is an object. */
function answerTo<T extends object>({ mcpReq }: ServerContext, key: string): T | undefined {
  const answer = mcpReq.inputResponses?.[key];
  return typeof answer === "object" && answer !== null ? (answer as T) : undefined;
}

function nameOf({ mcpReq }: ServerContext, key: string): string | undefined {
  const name = acceptedContent<{ name: string }>(mcpReq.inputResponses, key)?.name;
  return typeof name === "string" ? name : undefined;
}

function registerRoundTrips(server: McpServer): void {
  const tool = (name: string, round: Round): void => {
    server.registerTool(name, { description: name, inputSchema: nothing }, (_input, context) => round(context));
  };
  tool("test_missing_capability", (context) =>
    answerTo(context, "llm") === undefined ? inputRequired({ inputRequests: { llm: sampling("ping") } }) : textResult("pong"),
  );
  tool("test_input_required_result_elicitation", (context) => {
    const name = nameOf(context, "user_name");
    return name === undefined
      ? inputRequired({ inputRequests: { user_name: asks("What is your name?", "name") } })
      : textResult(`Hello, ${name}!`);
  });
  tool("test_input_required_result_sampling", (context) => {
    const answer = answerTo(context, "capital_question");
    return answer === undefined
      ? inputRequired({ inputRequests: { capital_question: sampling("What is the capital of France?") } })
      : textResult(`Sampling response: ${JSON.stringify(answer)}`);
  });
  tool("test_input_required_result_list_roots", (context) => {
    const roots = answerTo<{ roots?: unknown[] }>(context, "client_roots")?.roots;
    return Array.isArray(roots)
      ? textResult(`${roots.length} root(s): ${JSON.stringify(roots)}`)
      : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  tool("test_input_required_result_capabilities", (context) => {
    if (context.mcpReq.inputResponses !== undefined) return textResult("fulfilled");
    const envelope: Readonly<Record<string, unknown>> = context.mcpReq.envelope ?? {};
    const declared = envelope[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined;
    const inputRequests: InputRequests = {
      ...(declared?.elicitation === undefined ? {} : { user_name: asks("What is your name?", "name") }),
      ...(declared?.sampling === undefined ? {} : { greeting: sampling("Greet") }),
      ...(declared?.roots === undefined ? {} : { client_roots: inputRequired.listRoots() }),
    };
    return Object.keys(inputRequests).length === 0 ? textResult("nothing can be asked") : inputRequired({ inputRequests });
  });
  server.registerPrompt("test_input_required_result_prompt", { description: "asks first" }, (context) => {
    const given = acceptedContent<{ context: string }>(context.mcpReq.inputResponses, "user_context")?.context;
    if (typeof given !== "string")
      return inputRequired({ inputRequests: { user_context: asks("What context should the prompt use?", "context") } });
    return { messages: [{ role: "user", content: { type: "text", text: `Use the following context: ${given}` } }] };
  });
}

function registerStatefulRounds(server: McpServer): void {
  const tool = (name: string, round: Round): void => {
    server.registerTool(name, { description: name, inputSchema: nothing }, (_input, context) => round(context));
  };
  tool("test_input_required_result_request_state", async (context) => {
    const confirm = { confirm: asks("Please confirm", "ok", "boolean") };
    if (acceptedContent(context.mcpReq.inputResponses, "confirm") === undefined)
      return inputRequired({ inputRequests: confirm, requestState: await requestState.mint({ nonce: nonce() }) });
    if (context.mcpReq.requestState() === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Invalid requestState");
    return textResult("state-ok");
  });
  tool("test_input_required_result_tampered_state", async (context) => {
    const confirmed = acceptedContent(context.mcpReq.inputResponses, "confirm") !== undefined;
    if (confirmed && context.mcpReq.requestState() !== undefined) return textResult("integrity-ok");
    return inputRequired({
      inputRequests: { confirm: asks("Please confirm", "ok", "boolean") },
      requestState: await requestState.mint({ nonce: nonce() }),
    });
  });
  tool("test_input_required_result_multiple_inputs", async (context) => {
    const name = nameOf(context, "user_name");
    const greeting = answerTo<{ content?: unknown }>(context, "greeting")?.content;
    const roots = answerTo<{ roots?: unknown[] }>(context, "client_roots")?.roots;
    if (name !== undefined && greeting !== undefined && Array.isArray(roots))
      return textResult(`${JSON.stringify(greeting)} ${name}, ${roots.length} root(s)`);
    return inputRequired({
      inputRequests: {
        user_name: asks("What is your name?", "name"),
        greeting: sampling("Greet"),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await requestState.mint({ nonce: nonce() }),
    });
  });
  tool("test_input_required_result_multi_round", async (context) => {
    const state = context.mcpReq.requestState<Record<string, unknown>>();
    if (state?.["round"] === undefined)
      return inputRequired({
        inputRequests: { step1: asks("Your name?", "name") },
        requestState: await requestState.mint({ round: 1, nonce: nonce() }),
      });
    if (state["round"] === 1) {
      const name = nameOf(context, "step1") ?? "unknown";
      return inputRequired({
        inputRequests: { step2: asks("Your color?", "color") },
        requestState: await requestState.mint({ round: 2, name, nonce: nonce() }),
      });
    }
    const color = acceptedContent<{ color: string }>(context.mcpReq.inputResponses, "step2")?.color ?? "unknown";
    return textResult(`${String(state["name"])} likes ${color}`);
  });
}

/** Keeps what was sent, so that a broken stream can be resumed. */
export function memoryEventStore(): EventStore {
  const events: { readonly id: string; readonly stream: string; readonly message: Parameters<EventStore["storeEvent"]>[1] }[] = [];
  return {
    storeEvent: async (stream, message) => {
      const id = `${stream}_${events.length}`;
      events.push({ id, stream, message });
      return id;
    },
    getStreamIdForEventId: async (id) => events.find((event) => event.id === id)?.stream,
    replayEventsAfter: async (lastId, { send }) => {
      const from = events.findIndex((event) => event.id === lastId);
      const stream = events[from]?.stream ?? "";
      for (const event of events.slice(from + 1)) if (event.stream === stream) await send(event.id, event.message);
      return stream;
    },
  };
}
