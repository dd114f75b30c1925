/** Makes elements of text: nothing that comes from the data is ever read as markup. */
export function element<K extends keyof HTMLElementTagNameMap>(tag: K, text = "", className = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className !== "") made.className = className;
  return made;
}

export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

export interface Column {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly unit?: string;
}

export interface Rows {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (string | number | boolean | null)[])[];
  readonly total: number;
}

/** A bucket by its first day, in UTC: the server's days are the calendar's. */
export function bucketText(ms: number, grain: "day" | "week" | "month" | "quarter" | "year" | null): string {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  if (grain === "year") return String(year);
  if (grain === "quarter") return `Q${Math.floor(date.getUTCMonth() / 3) + 1} ${year}`;
  const options = grain === "month" ? ({ month: "short", year: "numeric" } as const) : ({ dateStyle: "medium" } as const);
  const text = date.toLocaleDateString(undefined, { timeZone: "UTC", ...options });
  return grain === "week" ? `week of ${text}` : text;
}

/** Rows as a table, with how many there are. */
export function tableOf({ columns, rows, total }: Rows): HTMLElement {
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const { label, type, unit } of columns)
    head.append(element("th", unit === undefined || unit === "ratio" ? label : `${label} (${unit})`, type));
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const [index, cell] of row.entries()) line.append(element("td", cellText(cell, columns[index]), columns[index]?.type ?? ""));
  }
  const wrap = element("div");
  wrap.append(table);
  if (rows.length < total) wrap.append(element("p", `${rows.length} of ${total} rows`));
  return wrap;
}

export function cellText(cell: string | number | boolean | null, column: Column | undefined): string {
  if (cell === null) return "–";
  if (column?.type === "timestamp") return String(cell).slice(0, 16).replace("T", " ");
  if (typeof cell !== "number") return String(cell);
  if (column?.unit === "ratio") return cell.toLocaleString(undefined, { style: "percent", maximumFractionDigits: 1 });
  return cell.toLocaleString(undefined, { maximumFractionDigits: 2 });
}
