/** Text for terminals: colours where they are wanted, lines of bounded length, aligned tables. Pure. */
import type { Terminal } from "./terminal.ts";

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
}

const plain = (text: string): string => text;
const sgr =
  (code: number) =>
  (text: string): string =>
    text === "" ? "" : `\x1b[${code}m${text}\x1b[0m`;

export const NO_PAINT: Paint = { bold: plain, dim: plain, good: plain, warn: plain, bad: plain };
const COLOURS: Paint = { bold: sgr(1), dim: sgr(2), good: sgr(32), warn: sgr(33), bad: sgr(31) };

/** Colours only for a person's terminal, and not when NO_COLOR is set (https://no-color.org). */
export function paintFor({ isInteractive, environment }: Pick<Terminal, "isInteractive" | "environment">): Paint {
  return isInteractive && (environment["NO_COLOR"] ?? "") === "" ? COLOURS : NO_PAINT;
}

/** Lines of at most `width` characters; a longer word keeps its own line. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  // "100 %" stays together.
  for (const word of text.split(/ (?!%)/)) {
    if (line !== "" && line.length + word.length + 1 > Math.max(20, width)) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}

/** `head` once, and `text` wrapped to the right of it. `paint` colours the text after it was measured. */
export function hang(head: string, text: string, width: number, paint: (line: string) => string = plain): string {
  const indent = " ".repeat(head.length);
  const lines = wrap(text, width - head.length);
  return lines.map((line, index) => `${index === 0 ? head : indent}${paint(line)}`).join("\n");
}

/** Columns two spaces apart, each as wide as its longest cell, but at least `widths`. */
export function table(rows: readonly (readonly string[])[], widths: number[] = []): readonly string[] {
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
