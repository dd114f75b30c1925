import { instantOf, momentOf } from "./values.ts";

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

const TIME = String.raw`(?:[ ,T]+(?<hour>\d{1,2})[:.](?<minute>\d{2})(?:[:.](?<second>\d{2}))?(?:\s*(?<half>[\p{L}.]+))?)?`;
/** 22/Mar/14, 16/02/2017 (or 02/16/2017), 2014/03/22, Mar 22, 2014; each with or without a time. */
const FORMS = [
  String.raw`(?<day>\d{1,2})[/. -]+(?<month>[\p{L}.]+|\d{1,2})[/., -]+(?<year>\d{4}|\d{2})`,
  String.raw`(?<year>\d{4})[/.-](?<month>\d{1,2})[/.-](?<day>\d{1,2})`,
  String.raw`(?<month>[\p{L}.]+)\s+(?<day>\d{1,2}),?\s+(?<year>\d{4})`,
].map((date) => new RegExp(`^${date}${TIME}$`, "u"));
const NUMERIC = /^\d{1,2}[/. -]\d/;
const AFTERNOON = /^(p\.?m\.?|nachm\.?|下午|午後)$/i;

/** A date as trackers print it (`22/Mar/14 07:59`, `16/02/2017 3:26 PM`, `29/июл/26 09:59`) → ISO UTC; zoneless is UTC. */
export function csvInstant(text: string, order: DayMonthOrder): string | null {
  const trimmed = text.trim();
  const iso = instantOf(trimmed);
  if (iso !== null) return iso;
  const parts = FORMS.map((form) => form.exec(trimmed)?.groups).find((groups) => groups !== undefined);
  if (parts === undefined) return null;
  const isMonthFirst = order === "month_first" && NUMERIC.test(trimmed);
  const [month, day] = isMonthFirst ? [parts["day"], parts["month"]] : [parts["month"], parts["day"]];
  const monthNumber = monthOf(month ?? "");
  if (monthNumber === null) return null;
  const number = (name: string): number => Number(parts[name] ?? "0");
  return momentOf({
    year: yearOf(parts["year"] ?? ""),
    month: monthNumber,
    day: Number(day),
    hour: hourOf(number("hour"), parts["half"] ?? ""),
    minute: number("minute"),
    second: number("second"),
    millisecond: 0,
    offsetMinutes: 0,
  });
}

/** Two digits mean 1970 to 2069. */
function yearOf(text: string): number {
  return text.length === 4 ? Number(text) : Number(text) + (Number(text) < 70 ? 2000 : 1900);
}

function hourOf(hour: number, half: string): number {
  return half === "" ? hour : (hour % 12) + (AFTERNOON.test(half) ? 12 : 0);
}

/** What one all-numeric date proves about its order: a part above 12 is the day. Null: nothing. */
export function orderShownBy(text: string): DayMonthOrder | null {
  const match = /^(\d{1,2})[/. -](\d{1,2})[/. -]\d{2,4}\b/.exec(text.trim());
  if (match === null) return null;
  if (Number(match[1]) > 12) return "day_first";
  return Number(match[2]) > 12 ? "month_first" : null;
}
