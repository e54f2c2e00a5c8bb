/** What the built-in operator of `run` is told to be: the parts of an OperatorConfiguration that are about workloads. */
import { readFile } from "node:fs/promises";
import type { ServiceConfig } from "../../config/settings.ts";
import { ConfigurationError, readOperatorConfiguration } from "../../grove/configuration/read.ts";
import { settingsOf } from "../../grove/configuration/settings-of.ts";
import { DEFAULT_SETTINGS, type OperatorSettings } from "../../grove/settings.ts";
import { UsageError } from "../errors.ts";
import { unreadable } from "../files.ts";
import { initContainerImage } from "../operator/environment.ts";

/** @throws UsageError for a file that cannot be read or is wrong */
export async function readOperatorSettings(config: ServiceConfig, version: string): Promise<OperatorSettings> {
  const image = initContainerImage({ GROVE_INIT_CONTAINER_IMAGE: config.initContainerImage }, version);
  const { operatorConfig: path } = config;
  if (path === undefined) return { ...DEFAULT_SETTINGS, ...(image !== undefined && { initContainerImage: image }) };
  try {
    const { podGangNames } = DEFAULT_SETTINGS;
    return settingsOf(readOperatorConfiguration(await readFile(path, "utf8")), {
      initContainerImage: image,
      podGangNames,
    });
  } catch (error) {
    if (error instanceof ConfigurationError) throw new UsageError(`${path}: ${error.message} (--operator-config)`);
    throw unreadable("--operator-config", path, error);
  }
}
