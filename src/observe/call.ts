import { AsyncLocalStorage } from "node:async_hooks";

/** The protocol call or command that is running: what its observations belong to. */
export interface Call {
  readonly tool: string;
  readonly transport: "stdio" | "http" | "command";
  readonly protocolVersion?: string;
  readonly requestId?: string;
  /** W3C trace context as the client sent it; not yet validated. */
  readonly traceparent?: string;
  readonly tracestate?: string;
}

const running = new AsyncLocalStorage<Call>();

/** Runs `work` so that everything observed inside it can be told to belong to `call`. */
export function withinCall<T>(call: Call, work: () => T): T {
  return running.run(call, work);
}

/** The call around the caller, if there is one. */
export function currentCall(): Call | undefined {
  return running.getStore();
}
