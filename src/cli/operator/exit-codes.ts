/** Exit codes of upstream's binary (grove.md 8.1): what watches the process can tell by them where it failed. */
export const EXIT = {
  commandLine: 1,
  configuration: 2,
  topologySync: 3,
  manager: 4,
  schedulerBackend: 5,
  start: 6,
  mnnvl: 7,
} as const;
