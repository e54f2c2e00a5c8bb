/** A real Chromium without a window and without a profile of anybody; it is never told to reach beyond files. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const executable = (): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .flatMap((folder) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name)))
    .find(existsSync);

/** Why there is no Chromium here, or undefined. */
export const missingChromium = (): string | undefined =>
  executable() === undefined ? "chromium is not installed" : undefined;

export function startChromium(): Promise<Browser> {
  const executablePath = executable();
  if (executablePath === undefined) throw new Error("chromium is not installed");
  // Without its sandbox it runs as root too, as in containers; it sees nothing but our own page.
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
