import { loadModule, parseSync } from "libpg-query";

/** What an expression may contain: pure, total functions over columns; nothing that reads or changes anything else. */
const FUNCTIONS = new Set(["extract", "abs", "round", "floor", "ceil", "lower", "upper", "length", "cardinality"]);
const AGGREGATE_FUNCTIONS = new Set(["sum", "count", "min", "max", "avg", "bool_or", "bool_and"]);
const OPERATORS = new Set(["+", "-", "*", "/", "=", "<>", "<", "<=", ">", ">="]);
/** How an operator may be written; the others (IN, LIKE, BETWEEN, ANY …) carry further nodes or stand for other operators. */
const PLAIN_KINDS = new Set(["AEXPR_OP", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT", "AEXPR_NULLIF"]);
const CAST_TYPES = new Set(["interval", "float8", "int4", "int8", "bool", "text"]);

/** A verified expression: its text is safe to place in a statement, and these are the columns it reads. */
export interface VerifiedExpression {
  readonly text: string;
  readonly columns: readonly string[];
}

export interface ExpressionRules {
  /** Names that may occur. */
  readonly columns: ReadonlySet<string>;
  /** Whether aggregate functions may occur: they must where rows are folded first, and must not elsewhere. */
  readonly aggregates: boolean;
}

type Node = Record<string, unknown>;

/** What texts were parsed to: metrics share many, and a parse is 0.3 ms of a start. */
const targets = new Map<string, Node>();

/** Loads the PostgreSQL grammar (WASM) once; needed before `verifyExpression`. */
export async function loadGrammar(): Promise<void> {
  await loadModule();
}

/**
 * Proves that `text` is one SQL expression by PostgreSQL's own grammar, made only of allowed nodes, functions,
 * operators and columns. Throws Error with a message for the catalog's author otherwise.
 */
export function verifyExpression(text: string, rules: ExpressionRules): VerifiedExpression {
  if (/--|\/\*|;/.test(text)) throw new Error("comments and semicolons are not allowed in an expression");
  const target = targets.get(text) ?? parseTarget(text);
  targets.set(text, target);
  const found = new Set<string>();
  visit(target, rules, found, false);
  return { text: text.trim(), columns: [...found].toSorted() };
}

interface ParsedSelect {
  readonly targetList?: readonly { readonly ResTarget: { readonly val: Node; readonly name?: string } }[];
}

function parseTarget(text: string): Node {
  let tree: { readonly stmts?: readonly { readonly stmt: { readonly SelectStmt?: ParsedSelect } }[] };
  try {
    tree = parseSync(`SELECT (${text})`) as unknown as typeof tree;
  } catch (error) {
    throw new Error(`not a SQL expression: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  const [statement, ...moreStatements] = tree.stmts ?? [];
  const { targetList = [], ...clauses } = statement?.stmt.SelectStmt ?? {};
  const [target, ...moreTargets] = targetList;
  const isPlain = Object.keys(clauses).every((key) => key === "limitOption" || key === "op");
  if (!target || moreStatements.length + moreTargets.length > 0 || !isPlain) throw new Error("only a single expression is allowed");
  if (target.ResTarget.name !== undefined) throw new Error("an expression carries no alias");
  return target.ResTarget.val;
}

/** Walks one `{ NodeType: fields }` object; throws at the first node that is not allowed. */
function visit(node: Node, rules: ExpressionRules, found: Set<string>, inAggregate: boolean): void {
  const [type, fields] = Object.entries(node)[0] as [string, Node];
  const walk = (child: unknown, inside = inAggregate): void => {
    if (Array.isArray(child)) for (const item of child) visit(item as Node, rules, found, inside);
    else if (child) visit(child as Node, rules, found, inside);
  };
  switch (type) {
    case "A_Const":
      return;
    case "ColumnRef":
      return visitColumn(fields, rules, found, inAggregate);
    case "A_Expr":
      checkOperator(fields);
      walk(fields["lexpr"]);
      return walk(fields["rexpr"]);
    case "BoolExpr":
    case "CoalesceExpr":
    case "MinMaxExpr":
      return walk(fields["args"]);
    case "NullTest":
    case "BooleanTest":
      return walk(fields["arg"]);
    case "CaseExpr":
      walk(fields["arg"]);
      walk(fields["args"]);
      return walk(fields["defresult"]);
    case "CaseWhen":
      walk(fields["expr"]);
      return walk(fields["result"]);
    case "TypeCast":
      checkCast(fields);
      return walk(fields["arg"]);
    case "FuncCall": {
      const isAggregate = checkFunction(fields, rules, inAggregate);
      walk(fields["args"], inAggregate || isAggregate);
      return walk(fields["agg_filter"], inAggregate || isAggregate);
    }
    default:
      throw new Error(`${type} is not allowed in an expression`);
  }
}

function visitColumn(fields: Node, rules: ExpressionRules, found: Set<string>, inAggregate: boolean): void {
  const parts = fields["fields"] as { String?: { sval: string } }[];
  const name = parts[0]?.String?.sval;
  if (parts.length !== 1 || name === undefined) throw new Error("columns are named without a qualifier");
  if (!rules.columns.has(name)) {
    throw new Error(`unknown column "${name}"; there are ${[...rules.columns].toSorted().join(", ")}`);
  }
  if (rules.aggregates && !inAggregate) throw new Error(`${name} stands outside an aggregate; rows are folded here, so put it inside one`);
  found.add(name);
}

function checkOperator(fields: Node): void {
  const name = lastName(fields["name"]);
  const kind = String(fields["kind"]);
  if (!PLAIN_KINDS.has(kind)) throw new Error(`${kind.replace("AEXPR_", "").replace("OP_", "")} is not allowed in an expression; write it with comparisons, and, or`);
  if (!OPERATORS.has(name)) {
    throw new Error(`operator ${name} is not allowed; use ${[...OPERATORS].join(" ")}, IS [NOT] DISTINCT FROM or NULLIF`);
  }
}

function checkCast(fields: Node): void {
  const type = fields["typeName"] as Node;
  const name = lastName(type["names"]);
  if (!CAST_TYPES.has(name)) throw new Error(`a cast to ${name} is not allowed; allowed: ${[...CAST_TYPES].join(", ")}`);
}

/** Returns whether the call is an aggregate. */
function checkFunction(fields: Node, rules: ExpressionRules, inAggregate: boolean): boolean {
  const name = lastName(fields["funcname"]);
  const unusual = ["over", "agg_order", "agg_within_group", "agg_distinct", "func_variadic"].find((key) => fields[key]);
  if (unusual) throw new Error(`${unusual} is not allowed in a call of ${name}`);
  if (FUNCTIONS.has(name)) return false;
  if (!AGGREGATE_FUNCTIONS.has(name)) {
    const allowed = [...FUNCTIONS, ...(rules.aggregates ? AGGREGATE_FUNCTIONS : [])];
    throw new Error(`function ${name} is not allowed; allowed: ${allowed.join(", ")}`);
  }
  if (!rules.aggregates) throw new Error(`${name} is an aggregate; aggregates are for metrics with "per"`);
  if (inAggregate) throw new Error(`aggregates cannot be nested (${name})`);
  return true;
}

/** The name of a function, operator or type; a schema other than pg_catalog's own could hold anything. */
function lastName(names: unknown): string {
  const parts = (names as { String?: { sval: string } }[]).map((part) => part.String?.sval ?? "?");
  if (parts.length > 1 && parts[0] !== "pg_catalog") throw new Error(`${parts.join(".")} is qualified; only built-ins are allowed`);
  return parts.at(-1) ?? "?";
}
