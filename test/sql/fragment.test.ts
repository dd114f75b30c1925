import { expect, test } from "vitest";
import { all, empty, ident, join, literal, type Sql, sql, toStatement, value } from "../../src/sql/fragment.ts";

test("only what was made as SQL can become a statement; JSON cannot pass for it", () => {
  const forged = JSON.parse('{"parts":["drop table warehouse.issue"]}') as Sql;
  expect(() => toStatement(forged)).toThrow("not made as SQL");
  expect(() => toStatement(sql`select ${forged}`)).toThrow("not made as SQL");
  const copied = JSON.parse(JSON.stringify(sql`select 1`)) as Sql;
  expect(() => toStatement(copied)).toThrow("not made as SQL");
  expect(toStatement(sql`select ${value(forged, "text")}`)).toEqual({ text: "select $1::text", values: [forged] });
});

test("values are numbered as they appear and one placed twice shares its number", () => {
  const tenant = value(7, "int");
  expect(toStatement(sql`${tenant}, ${value("a", "text")}, ${tenant}, ${value("a", "text")}`)).toEqual({
    text: "$1::int, $2::text, $1::int, $3::text",
    values: [7, "a", "a"],
  });
});

test.each(['a"b', "A", "a b", "", "1a", "a.b", "a;", "ä"])("no identifier: %j", (name) => {
  expect(() => ident(name)).toThrow("not an identifier");
});

test("identifiers are quoted, literals are finite, conditions are joined", () => {
  expect(toStatement(ident("r", "status")).text).toBe('"r"."status"');
  expect(toStatement(literal(0.25)).text).toBe("0.25::float8");
  for (const number of [Number.NaN, Infinity]) expect(() => literal(number)).toThrow("not a finite number");
  expect(toStatement(all([])).text).toBe("true");
  expect(toStatement(all([sql`a`, sql`b`])).text).toBe("a and b");
  expect(toStatement(join([sql`a`, empty, sql`b`], ", ")).text).toBe("a, , b");
});
