/** What `run` can be told, in one table: each setting with its flag, its environment variable, its place in the config file and its default. */
import type { Setting } from "./setting.ts";
import { ENDPOINTS } from "./settings/endpoints.ts";
import { KUBERNETES } from "./settings/kubernetes.ts";
import { LEADER_ELECTION } from "./settings/leader-election.ts";
import { MEMORY } from "./settings/memory.ts";
import { PROMETHEUS } from "./settings/prometheus.ts";
import { WORK } from "./settings/work.ts";

export const SETTINGS = {
  ...KUBERNETES,
  ...PROMETHEUS,
  ...MEMORY,
  ...LEADER_ELECTION,
  ...WORK,
  ...ENDPOINTS,
} as const;

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;
export type ServiceConfig = { readonly [K in SettingName]: Settings[K] extends Setting<infer T> ? T : never };
