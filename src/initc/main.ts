#!/usr/bin/env node
/**
 * The program of the init container `grove-initc`: exits with 0 once the parent cliques are ready, with 1 on bad input or when
 * it is told to stop. Namespace and gang come from the downward API, the token from the mounted secret of the set's account.
 */
import { readFile } from "node:fs/promises";
import { parseParentArguments } from "../api/grove/startup-parents.ts";
import { wallClock } from "../clock.ts";
import { createKubeClient } from "../kube/client.ts";
import { loadCredentials } from "../kube/credentials.ts";
import { systemRandom } from "../random.ts";
import { createLogger } from "../server/logger.ts";
import { waitForParents } from "./wait.ts";

const POD_INFO = process.env["GROVE_POD_INFO_DIR"] ?? "/var/grove/pod-info";

const clock = wallClock();
const log = createLogger({ level: "info", format: "json", clock });
const stop = new AbortController();
for (const name of ["SIGTERM", "SIGINT"] as const)
  process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));

try {
  const parents = parseParentArguments(process.argv.slice(2));
  const [namespace, gang] = await Promise.all(
    ["namespace", "podgangname"].map(async (file) => (await readFile(`${POD_INFO}/${file}`, "utf8")).trim()),
  );
  if (!namespace || !gang) throw new Error(`${POD_INFO} holds no namespace or no podgangname`);
  const credentials = await loadCredentials({}, clock);
  const api = createKubeClient({ credentials, clock, userAgent: "grove-initc" });
  await waitForParents({ api, clock, random: systemRandom(), log, signal: stop.signal, namespace, gang, parents });
  log.info({ gang }, "all parent cliques are ready");
  process.exit(0);
} catch (error) {
  log.error({ error: error instanceof Error ? error.message : String(error) }, "cannot wait for parent cliques");
  process.exit(1);
}
