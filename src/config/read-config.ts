/** Precedence: flag, environment, file, default. A bad value is one line that names where it stands and what is allowed there. */
import { UsageError } from "../cli/errors.ts";
import { checkTogether } from "./check-together.ts";
import { readFile } from "./read-file.ts";
import type { Parse, Setting } from "./setting.ts";
import { SETTINGS, type ServiceConfig, type SettingName } from "./settings.ts";

export interface ConfigSources {
  /** By setting; absent: not given on the command line. */
  readonly flags?: Readonly<Partial<Record<SettingName, unknown>>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly file?: { readonly name: string; readonly text: string };
}

/** @throws UsageError with one line per first mistake */
export function readConfig({ flags = {}, env = {}, file }: ConfigSources): ServiceConfig {
  const fileValues = file === undefined ? new Map<string, unknown>() : readFile(file.name, file.text);
  const read = (name: SettingName): unknown => {
    const { file: path, flag, env: variable, parse, fallback } = SETTINGS[name] as Setting<unknown>;
    if (flag !== undefined && flags[name] !== undefined) {
      return parseAt(flag.split(" ", 1)[0] ?? flag, parse, flags[name]);
    }
    // An empty variable is how a manifest says "not set".
    if ((env[variable] ?? "") !== "") return parseAt(variable, parse, env[variable]);
    if (path !== undefined && fileValues.has(path))
      return parseAt(`${file?.name}: ${path}`, parse, fileValues.get(path));
    return fallback;
  };
  const config = Object.fromEntries(
    (Object.keys(SETTINGS) as SettingName[]).map((name) => [name, read(name)]),
  ) as unknown as ServiceConfig;
  checkTogether(config);
  return config;
}

function parseAt(where: string, parse: Parse<unknown>, given: unknown): unknown {
  try {
    return parse(given);
  } catch (error) {
    throw new UsageError(`${where}: ${error instanceof Error ? error.message : error}`);
  }
}
