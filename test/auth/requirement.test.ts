import { expect, test } from "vitest";
import { credentialRule, isLoopback } from "../../src/auth/requirement.ts";

test.each([
  ["127.0.0.1", true],
  ["127.8.0.3", true],
  ["::1", true],
  ["[::1]", true],
  ["localhost", true],
  ["LOCALHOST", true],
  ["0.0.0.0", false],
  ["::", false],
  ["", false],
  ["10.0.0.1", false],
  ["127.0.0.1.evil.example", false],
  ["localhost.evil.example", false],
  ["fd00::1", false],
])("%j is reached from this machine only: %j", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

const [NONE, REQUIRED] = ["none", "required"] as const;
test.each([
  { host: "127.0.0.1", rule: { required: false } },
  { host: "127.0.0.1", hasIssuer: true, rule: { required: true } },
  { host: "127.0.0.1", hasIssuer: true, setting: NONE, rule: { required: false } },
  { host: "127.0.0.1", setting: REQUIRED, hasKey: true, rule: { required: true } },
  { host: "127.0.0.1", setting: REQUIRED, rule: { refusal: expect.stringContaining("metricgate key create") } },
  { host: "0.0.0.0", hasKey: true, rule: { required: true } },
  { host: "0.0.0.0", hasIssuer: true, rule: { required: true } },
  { host: "0.0.0.0", rule: { refusal: expect.stringContaining("METRICGATE_OAUTH_ISSUER") } },
  { host: "10.1.2.3", setting: NONE, hasKey: true, hasIssuer: true, rule: { refusal: expect.stringContaining("METRICGATE_AUTH: none") } },
])("%o", async ({ host, setting, hasIssuer = false, hasKey = false, rule }) => {
  const asked = { host, hasIssuer, hasUsableKey: async () => hasKey, ...(setting === undefined ? {} : { setting }) };
  const answer = await credentialRule(asked);
  expect(answer).toEqual(rule);
  if ("refusal" in answer) expect(answer.refusal).not.toContain("\n");
});
