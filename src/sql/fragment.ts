/** Marks SQL made here; JSON from a client can never carry a symbol, so it can never pass for SQL. */
const brand: unique symbol = Symbol("sql");

/** A bound value; the same object placed twice shares one placeholder. */
interface Bound {
  readonly bound: unknown;
}

/** A piece of SQL: text, bound values and other pieces in order; put together only when the statement is finished. */
export interface Sql {
  readonly [brand]: true;
  readonly parts: readonly (string | Bound | Sql)[];
}

/** A finished statement as the wire takes it. */
export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

const make = (parts: readonly (string | Bound | Sql)[]): Sql => ({ [brand]: true, parts });

/** Template tag: only other fragments may be placed inside. */
export function sql(strings: TemplateStringsArray, ...inner: readonly Sql[]): Sql {
  const parts: (string | Sql)[] = [];
  for (const [index, text] of strings.entries()) {
    if (text !== "") parts.push(text);
    const fragment = inner[index];
    if (fragment) parts.push(fragment);
  }
  return make(parts);
}

/** A bind parameter with its PostgreSQL type. Keep the fragment to place the same value again. */
export function value(
  bound: unknown,
  type: "int" | "bigint[]" | "float8" | "text" | "text[]" | "date" | "timestamp" | "timestamptz" | "interval" | "json" | "real[]",
): Sql {
  return make([{ bound }, `::${type}`]);
}

/** A quoted identifier; only plain lower-case names exist in our schema, anything else is a mistake of ours. */
export function ident(...names: readonly string[]): Sql {
  for (const name of names) if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`not an identifier: ${name}`);
  return make([names.map((name) => `"${name}"`).join(".")]);
}

/** Text of an expression that the catalog's loader has verified, in parentheses. */
export function verified(expression: string): Sql {
  return make([`(${expression})`]);
}

/** A whole number or float written as a literal: for weights and fractions of the catalog, never for a caller's value. */
export function literal(number: number): Sql {
  if (!Number.isFinite(number)) throw new Error(`not a finite number: ${number}`);
  return make([`${number}::float8`]);
}

/** A whole number written as a literal: for constants of ours, never for a caller's value. */
export function integer(number: number): Sql {
  if (!Number.isSafeInteger(number)) throw new Error(`not a whole number: ${number}`);
  return make([String(number)]);
}

export function join(fragments: readonly Sql[], separator: ", " | " and " | " or " | " union all " | "\n" | " + "): Sql {
  return make(fragments.flatMap((fragment, index) => (index === 0 ? [fragment] : [separator, fragment])));
}

export const empty: Sql = make([]);

/** Conditions ANDed; `true` when there are none. */
export function all(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? sql`true` : join(conditions, " and ");
}

/** Numbers the placeholders in order of appearance. */
export function toStatement(fragment: Sql): Statement {
  const values: unknown[] = [];
  const numbers = new Map<Bound, number>();
  const texts: string[] = [];
  const write = (piece: Sql): void => {
    if (piece[brand] !== true) throw new Error("a piece of a statement was not made as SQL");
    for (const part of piece.parts) {
      if (typeof part === "string") {
        texts.push(part);
      } else if ("bound" in part) {
        const number = numbers.get(part) ?? values.push(part.bound);
        numbers.set(part, number);
        texts.push(`$${number}`);
      } else {
        write(part);
      }
    }
  };
  write(fragment);
  return { text: texts.join(""), values };
}
