import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_TEXT_CHARACTERS, termsOf } from "../../src/search/tokenise.ts";

const texts = (text: string): string[] => termsOf(text).map((term) => term.text);
const words = (text: string): string[] => termsOf(text).flatMap((term) => (term.isWord ? [term.text] : []));

test.each([
  ["Save dialog freezes", ["save", "dialog", "freezes"]],
  ["getUserName", ["get", "user", "name", "getusername"]],
  ["get_user_name", ["get", "user", "name", "getusername"]],
  ["HTTPServerError", ["http", "server", "error", "httpservererror"]],
  ["NullPointerException", ["null", "pointer", "exception", "nullpointerexception"]],
  ["org.apache.hadoop.hdfs.DFSClient", ["org", "apache", "hadoop", "hdfs", "dfs", "client", "dfsclient"]],
  ["src/main/App.tsx:42", ["src", "main", "app", "tsx", "42"]],
  ["C:\\Temp\\my_file.txt", ["temp", "my", "file", "myfile", "txt"]],
  ["ERR_CONN_REFUSED", ["err", "conn", "refused", "errconnrefused"]],
  ["0x80070057", ["80070057", "0x80070057"]],
  ["TIMOB-1234", ["timob", "1234", "timob-1234"]],
  ["v2.3.1", ["v2", "3", "1", "v2.3.1"]],
  ["s3a fails", ["s3a", "fails"]],
])("%s is cut into %j", (text, wanted) => {
  for (const term of wanted) expect(texts(text)).toContain(term);
});

test("only plain words are words of a language", () => {
  expect(words("The getUserName of utf8 fails with ERR_42")).toEqual(["the", "get", "user", "name", "of", "utf", "fails", "with", "err"]);
});

test("accents of Latin letters do not matter, other scripts keep theirs", () => {
  expect(texts("Café naïve")).toEqual(["cafe", "naive"]);
  expect(texts("Žluťoučký")).toEqual(["zlutoucky"]);
  expect(texts("Ошибка входа")).toEqual(["ошибка", "входа"]);
  expect(texts("हिन्दी")).toEqual(["हिन्दी"]);
});

test("scripts without spaces are cut into pairs", () => {
  expect(texts("登录失败")).toEqual(["登录", "录失", "失败"]);
  expect(texts("API登录")).toEqual(["登录", "api"]);
});

test("timestamps, checksums and addresses are left out", () => {
  expect(texts("1700000000000 deadbeef00112233 error")).toEqual(["error"]);
});

test("any text is cut into short terms of small letters without blanks, alone as in company", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), fc.string({ unit: "grapheme", maxLength: 50 }), (one, other) => {
      for (const { text } of termsOf(one)) {
        expect(text).not.toMatch(/[\s\p{Cc}]/u);
        expect(text.length).toBeGreaterThan(0);
        expect(text.length).toBeLessThanOrEqual(48);
      }
      expect(termsOf(`${one}\n${other}`)).toEqual([...termsOf(one), ...termsOf(other)]);
    }),
  );
});

test("a text is read up to its bound, in bounded time", () => {
  const startMs = performance.now();
  for (const text of ["a.".repeat(500_000), "A".repeat(1_000_000), "_".repeat(1_000_000), "é".repeat(1_000_000), "登".repeat(1_000_000)])
    expect(termsOf(text).length).toBeLessThanOrEqual(MAX_TEXT_CHARACTERS);
  expect(performance.now() - startMs).toBeLessThan(1_000);
});
