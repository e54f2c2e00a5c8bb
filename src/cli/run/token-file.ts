import { readFile } from "node:fs/promises";
import type { Clock } from "../../clock.ts";
import { unreadable } from "../files.ts";

/** Projected tokens are replaced on disk well before they end; a minute is what client-go takes. */
const MAX_AGE_MS = 60_000;

export const tokenFile = (path: string, clock: Clock): Promise<() => Promise<string>> =>
  secretFile("prometheus.bearerTokenFile", path, clock);

/** The secret in a file, read again when it is a minute old. @throws UsageError when it cannot be read at the start */
export async function secretFile(setting: string, path: string, clock: Clock): Promise<() => Promise<string>> {
  let token = "";
  let readAtMs = Number.NEGATIVE_INFINITY;
  const read = async (): Promise<string> => {
    if (clock.monotonicMs() - readAtMs < MAX_AGE_MS) return token;
    token = (await readFile(path, "utf8")).trim();
    readAtMs = clock.monotonicMs();
    return token;
  };
  try {
    await read();
  } catch (error) {
    throw unreadable(setting, path, error);
  }
  return read;
}
