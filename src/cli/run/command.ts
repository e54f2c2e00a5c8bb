/** `grove-autoscaler run`: the service, from its configuration to its last log line. */
import { hostname } from "node:os";
import type { Command } from "commander";
import packageJson from "../../../package.json" with { type: "json" };
import { wallClock } from "../../clock.ts";
import { readConfig } from "../../config/read-config.ts";
import type { Setting } from "../../config/setting.ts";
import { SETTINGS, type SettingName } from "../../config/settings.ts";
import { systemRandom } from "../../random.ts";
import { readTextFile } from "../files.ts";
import type { Terminal } from "../terminal.ts";

export function addRunCommand(program: Command, _: Terminal): void {
  const command = program
    .command("run")
    .description("run the service on a cluster: autoscaler, Grove operator, metrics and probes")
    .option("--config <file>", "YAML file with any of these settings; flags and environment win over it");
  for (const { flag, about, env, isRepeatable } of Object.values(SETTINGS) as readonly Setting<unknown>[]) {
    if (flag === undefined) continue;
    const text = `${about} [${env}]`;
    if (isRepeatable === true) {
      command.option(flag, text, (one: string, before?: string) => (before === undefined ? one : `${before},${one}`));
    } else command.option(flag, text);
  }
  command.option("--no-operator", "short for --operator external");
  command.action(async (flags: Readonly<Record<string, unknown>>) => {
    const config = readConfig({
      flags: givenFlags(command, flags),
      env: process.env,
      ...(typeof flags["config"] === "string" ? { file: readFile(flags["config"]) } : {}),
    });
    // Half a second of loading that no other command should pay for.
    const [{ startService }, { createLogger }] = await Promise.all([
      import("./service.ts"),
      import("../../server/logger.ts"),
    ]);
    const clock = wallClock();
    const random = systemRandom();
    const log = createLogger({ level: config.logLevel, format: config.logFormat, clock });
    const identity = `${hostname()}_${Math.floor(random.next() * 2 ** 32).toString(16)}`;
    // A signal before this has started ends the process as usual: nothing is held yet.
    const service = await startService({ config, clock, random, log, identity, version: packageJson.version });
    try {
      await Promise.race([onSignal(), service.failed]);
    } catch (error) {
      log.error({ identity, error: error instanceof Error ? error.message : String(error) }, "the service ends");
      throw error;
    } finally {
      await service.stop();
    }
  });
}

/** By setting; only what stands on the command line. `--no-x` gives false. */
function givenFlags(
  command: Command,
  flags: Readonly<Record<string, unknown>>,
): Readonly<Partial<Record<SettingName, unknown>>> {
  const given: Partial<Record<SettingName, unknown>> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const { flag } = SETTINGS[name] as Setting<unknown>;
    const option = command.options.find(({ flags: text }) => text === flag);
    const key = option?.attributeName() ?? "";
    if (command.getOptionValueSource(key) === "cli") given[name] = flags[key];
  }
  return given;
}

function readFile(name: string): { readonly name: string; readonly text: string } {
  return { name, text: readTextFile("--config", name) };
}

/** Resolves at the first SIGTERM or SIGINT. A second one ends the process at once, as the default does. */
function onSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve());
  });
}
