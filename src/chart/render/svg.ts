/** What a chart of ours never holds: anything that is fetched, run or linked. Text is escaped, so no label can look like it. */
const FORBIDDEN = /<(?:image|script|foreignObject|use|a|iframe|style|animate|set)[\s>/]|\s(?:xlink:)?href=|\son\w+=|url\(\s*['"]?(?!#)/i;

/** Throws where a picture holds more than shapes and text: the last look before it leaves. */
export function assertHarmless(svg: string): void {
  const withoutText = svg.replaceAll(/>[^<]*</g, "><").replaceAll(/aria-label="[^"]*"/g, "");
  const found = FORBIDDEN.exec(withoutText);
  if (found !== null) throw new Error(`a chart holds ${found[0]}`);
}

/** Says what the picture shows to whoever cannot see it. */
export function withAccessibleName(svg: string, { title, description }: { readonly title: string; readonly description: string }): string {
  return svg.replace(
    /<svg\b([^>]*)>/,
    (_, attributes: string) =>
      `<svg role="img" aria-label="${escaped(description)}"${attributes}><title>${escaped(title)}</title><desc>${escaped(description)}</desc>`,
  );
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
