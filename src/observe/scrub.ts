const MAX_CHARACTERS = 500;

const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, "[url]"],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, "[email]"],
  [/\b(bearer|basic)\s+[\w.~+/=-]+/gi, "$1 [secret]"],
  [/\b([\w-]*(?:password|passwd|pwd|secret|token|api[-_]?key|authorization|cookie))(["']?\s*[=:]\s*["']?)[^\s"',;&}]+/gi, "$1$2[secret]"],
  [/\bmgk_[\w-]*/g, "[secret]"],
  [/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, "[secret]"],
  [/\b(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{24,}\b/gi, "[secret]"],
  [/(?<![\w/])(?:\/[\w.@+-]+){2,}/g, "[path]"],
];

/** Text for a log line without addresses, credentials, e-mails, long random strings, paths and control characters. */
export function scrub(text: string): string {
  let scrubbed = text;
  for (const [pattern, replacement] of SECRETS) scrubbed = scrubbed.replace(pattern, replacement);
  // oxlint-disable-next-line no-control-regex
  scrubbed = scrubbed.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
  return scrubbed.length > MAX_CHARACTERS ? `${scrubbed.slice(0, MAX_CHARACTERS)}…` : scrubbed;
}

/** What a log may tell of a thrown value: its type, our code or its SQLSTATE, its scrubbed message, and its causes' types. */
export interface ScrubbedError {
  readonly type: string;
  readonly code?: string;
  readonly message: string;
  readonly cause?: ScrubbedError;
}

export function scrubError(thrown: unknown, depth = 0): ScrubbedError {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: scrub(String(thrown)) };
  const code =
    "code" in thrown && (typeof thrown.code === "string" || typeof thrown.code === "number") ? scrub(String(thrown.code)) : undefined;
  return {
    type: scrub(thrown.name),
    ...(code === undefined ? {} : { code }),
    message: scrub(thrown.message),
    ...(thrown.cause === undefined || depth >= 3 ? {} : { cause: scrubError(thrown.cause, depth + 1) }),
  };
}
