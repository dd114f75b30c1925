import type { Observe } from "../observe/observation.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Principal } from "../tenant.ts";
import type { PromptDefinition } from "./prompt-files.ts";

/** Says who acts: from the request over HTTP, from the process's own settings over stdio (null). Throws UNAUTHENTICATED. */
export type Identify = (request: Request | null) => Principal | Promise<Principal>;

/** What the protocol edge is built from. */
export interface McpParts {
  readonly version: string;
  readonly prompts: readonly PromptDefinition[];
  /** Its database may still be opening: everything that only lists is answered meanwhile. */
  readonly pipeline: Pipeline;
  readonly identify: Identify;
  /** Whether whoever acts over stdio may be narrowed to a part of the catalog; lists then wait until that is known. */
  readonly narrowsLocal?: boolean;
  readonly observe: Observe;
  /** Where results are downloaded, with a slash at its end; absent where they are not. */
  readonly resultsUrl?: () => string;
}
