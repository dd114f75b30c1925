import { epochOf, instantOf } from "./values.ts";

/** Order of day and month in all-numeric dates such as 03/04/2026. */
export type DayMonthOrder = "day_first" | "month_first";

const LOCALES = ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "cs", "sv", "nb", "da", "tr", "ja", "zh"];

/** Month names, long and short, alone and inside a date, of the languages above; a name of two months is left out. */
function monthNames(): ReadonlyMap<string, number> {
  const months = new Map<string, number>();
  for (const locale of LOCALES) {
    for (const month of ["long", "short"] as const) {
      for (const options of [{ month }, { month, day: "numeric" } as const]) {
        const format = new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
        for (let number = 1; number <= 12; number += 1) {
          const parts = format.formatToParts(Date.UTC(2026, number - 1, 1));
          const name = monthKey(parts.find((part) => part.type === "month")?.value ?? "");
          if (/^\p{L}/u.test(name)) months.set(name, months.has(name) && months.get(name) !== number ? 0 : number);
        }
      }
    }
  }
  return months;
}

function monthKey(name: string): string {
  return name.toLowerCase().replaceAll(".", "");
}

let knownMonths: ReadonlyMap<string, number> | undefined;

function monthOf(name: string): number | null {
  if (/^\d{1,2}$/.test(name)) return Number(name);
  knownMonths ??= monthNames();
  const key = monthKey(name);
  const whole = knownMonths.get(key);
  if (whole !== undefined) return whole === 0 ? null : whole;
  // Exporters abbreviate in their own ways ("июл", "sept"): a beginning that only one month has.
  const matches = new Set([...knownMonths].filter(([known]) => key.length >= 3 && known.startsWith(key)).map(([, n]) => n));
  const [only] = matches;
  return matches.size === 1 && only !== undefined && only > 0 ? only : null;
}

const TIME = String.raw`(?:[ ,T]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:\s*([\p{L}.]+))?)?`;
const PART_FIRST = new RegExp(String.raw`^(\d{1,2})[/. -]+([\p{L}.]+|\d{1,2})[/., -]+(\d{4}|\d{2})${TIME}$`, "u");
const YEAR_FIRST = new RegExp(String.raw`^(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})${TIME}$`, "u");
const NAME_FIRST = new RegExp(String.raw`^([\p{L}.]+)\s+(\d{1,2}),?\s+(\d{4})${TIME}$`, "u");
const AFTERNOON = /^(p\.?m\.?|nachm\.?|下午|午後)$/i;

/** A date as trackers print it (`22/Mar/14 07:59`, `16/02/2017 3:26 PM`, `29/июл/26 09:59`) → ISO UTC; zoneless is UTC. */
export function csvInstant(text: string, order: DayMonthOrder): string | null {
  const trimmed = text.trim();
  const iso = instantOf(trimmed);
  if (iso !== null) return iso;
  const parts = partsOf(trimmed, order);
  if (parts === null) return null;
  const [year, month, day, hour, minute, second, half] = parts;
  const monthNumber = monthOf(month);
  if (monthNumber === null) return null;
  const fullYear = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 70 ? 2000 : 1900);
  const epochMs = epochOf([fullYear, monthNumber, Number(day), hourOf(hour, half), Number(minute), Number(second)], 0);
  return epochMs === null ? null : new Date(epochMs).toISOString();
}

function hourOf(hour: string, half: string): number {
  if (half === "") return Number(hour);
  return (Number(hour) % 12) + (AFTERNOON.test(half) ? 12 : 0);
}

type Parts = readonly [year: string, month: string, day: string, hour: string, minute: string, second: string, half: string];

function partsOf(text: string, order: DayMonthOrder): Parts | null {
  const partFirst = PART_FIRST.exec(text);
  if (partFirst !== null) {
    const [, first = "", second = "", year = "", ...time] = partFirst;
    const isMonthFirst = /^\d+$/.test(second) && order === "month_first";
    return isMonthFirst ? [year, first, second, ...clock(time)] : [year, second, first, ...clock(time)];
  }
  const yearFirst = YEAR_FIRST.exec(text);
  if (yearFirst !== null) {
    const [, year = "", month = "", day = "", ...time] = yearFirst;
    return [year, month, day, ...clock(time)];
  }
  const nameFirst = NAME_FIRST.exec(text);
  if (nameFirst === null) return null;
  const [, month = "", day = "", year = "", ...time] = nameFirst;
  return [year, month, day, ...clock(time)];
}

function clock(time: readonly (string | undefined)[]): [string, string, string, string] {
  return [time[0] ?? "0", time[1] ?? "0", time[2] ?? "0", time[3] ?? ""];
}

/** What one all-numeric date proves about its order: a part above 12 is the day. Null: nothing. */
export function orderShownBy(text: string): DayMonthOrder | null {
  const match = /^(\d{1,2})[/. -](\d{1,2})[/. -]\d{2,4}\b/.exec(text.trim());
  if (match === null) return null;
  if (Number(match[1]) > 12) return "day_first";
  return Number(match[2]) > 12 ? "month_first" : null;
}
