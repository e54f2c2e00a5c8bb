/** Markup in which everything is escaped that is not markup by type: text that came from outside stays text, whatever it holds. */

export interface Markup {
  readonly markup: string;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

type Part = Markup | string | number | readonly Markup[];

export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return raw(texts.reduce((page, text, index) => page + spell(parts[index - 1] ?? "") + text));
}

/** Only for text of our own. */
export const raw = (markup: string): Markup => ({ markup });

function spell(part: Part): string {
  if (typeof part === "object") return "markup" in part ? part.markup : part.map(({ markup }) => markup).join("");
  return String(part).replace(/[&<>"']/g, (sign) => ENTITIES[sign] as string);
}

/** As the content of a `<script type="application/json">`, which ends at the first `</script`, even inside of a string. */
export const embeddedJson = (value: unknown): Markup => raw(JSON.stringify(value).replaceAll("<", "\\u003c"));
