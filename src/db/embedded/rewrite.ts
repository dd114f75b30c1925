import { frame, textAt, typeOf } from "./wire.ts";

/** What one client message does to the state that virtual connections share. */
export interface Rewritten {
  readonly message: Buffer;
  /** The statement's name, as the engine will know it, that this message makes or closes. */
  readonly prepares?: string;
  readonly closes?: string;
  readonly listens?: readonly string[];
  /** '*' for all. */
  readonly unlistens?: string;
  readonly copiesIn?: boolean;
}

const COPY_IN = /^\s*copy\s[^;]*\sfrom\s+stdin\b/i;
const LISTEN = /(?:^|;)\s*listen\s+(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))/gi;
const UNLISTEN = /^\s*unlisten\s+(?:"((?:[^"]|"")+)"|([a-z_][\w$]*)|(\*))\s*;?\s*$/i;

/** Comments go (a library may write some before its LISTEN). */
function bare(sql: string): string {
  return sql.replace(/--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\//g, " ");
}

function channelOf(quoted: string | undefined, plain: string | undefined): string {
  return quoted === undefined ? (plain ?? "").toLowerCase() : quoted.replaceAll('""', '"');
}

function effectsOf(sql: string): Omit<Rewritten, "message"> {
  if (!/copy|listen/i.test(sql)) return {};
  const text = bare(sql);
  const unlisten = UNLISTEN.exec(text);
  if (unlisten !== null) return { unlistens: unlisten[3] ?? channelOf(unlisten[1], unlisten[2]) };
  const listens = [...text.matchAll(LISTEN)].map((found) => channelOf(found[1], found[2]));
  return { ...(listens.length > 0 ? { listens } : {}), ...(COPY_IN.test(text) ? { copiesIn: true } : {}) };
}

/** UNLISTEN acts on the one session that all share: the engine gets one for a channel that nobody has. */
const UNLISTEN_NONE = 'UNLISTEN "metricgate none"';

function rewriteParse(message: Buffer, prefix: string): Rewritten {
  const name = textAt(message, 5);
  const sql = textAt(message, name.next);
  const effects = effectsOf(sql.text);
  const text = effects.unlistens === undefined ? sql.text : UNLISTEN_NONE;
  if (name.text === "" && effects.unlistens === undefined) return { message, ...effects };
  const renamed = name.text === "" ? "" : prefix + name.text;
  return {
    message: frame("P", renamed, text, message.subarray(sql.next)),
    ...(renamed === "" ? {} : { prepares: renamed }),
    ...effects,
  };
}

/**
 * Makes a client's message fit for a session that it shares: statement names get the connection's prefix, so that two
 * clients' 's1' do not meet; UNLISTEN becomes the connection's own affair.
 */
export function rewrite(message: Buffer, prefix: string): Rewritten {
  switch (typeOf(message)) {
    case "Q": {
      const effects = effectsOf(textAt(message, 5).text);
      return { message: effects.unlistens === undefined ? message : frame("Q", UNLISTEN_NONE), ...effects };
    }
    case "P":
      return rewriteParse(message, prefix);
    case "B": {
      const portal = textAt(message, 5);
      const name = textAt(message, portal.next);
      if (name.text === "") return { message };
      return { message: frame("B", portal.text, prefix + name.text, message.subarray(name.next)) };
    }
    case "D":
    case "C": {
      const name = textAt(message, 6).text;
      if (message[5] !== 0x53 || name === "") return { message };
      const renamed = prefix + name;
      const type = typeOf(message);
      return { message: frame(type, Buffer.from("S"), renamed), ...(type === "C" ? { closes: renamed } : {}) };
    }
    default:
      return { message };
  }
}
