const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

/** True for an address that only programs of this machine can reach. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

export interface Requirement {
  readonly host: string;
  /** METRICGATE_AUTH, where set. */
  readonly setting?: "none" | "required";
  readonly hasIssuer: boolean;
  /** Whether some API key would open something now; asked only where it matters. */
  readonly hasUsableKey: () => Promise<boolean>;
}

/**
 * Whether a caller over HTTP must show a credential: always where others than this machine can call, else by the
 * setting, else where an issuer is configured. `refusal` says in one line why the server must not start.
 */
export async function credentialRule({
  host,
  setting,
  hasIssuer,
  hasUsableKey,
}: Requirement): Promise<{ readonly required: boolean } | { readonly refusal: string }> {
  if (setting === "none" && !isLoopback(host)) {
    return { refusal: `METRICGATE_AUTH: none would open ${host} to anyone who can reach it; unset it, or listen on 127.0.0.1` };
  }
  const required = setting === undefined ? hasIssuer || !isLoopback(host) : setting === "required";
  if (!required || hasIssuer || (await hasUsableKey())) return { required };
  return {
    refusal: `callers of ${host} must show a credential, and there is none that would be taken; make an API key with \`metricgate key create\`, or set METRICGATE_OAUTH_ISSUER and METRICGATE_OAUTH_AUDIENCE`,
  };
}
