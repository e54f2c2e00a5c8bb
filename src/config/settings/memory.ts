/** What is kept of decisions, and where. */
import { text, url, whole } from "../parse.ts";
import { setting } from "../setting.ts";

export const MEMORY = {
  recordFile: setting<string | undefined>({
    file: "record.file",
    flag: "--record <file>",
    env: "GROVE_AUTOSCALER_RECORD",
    about: "append every decision with all that went into it, for plan --replay; a full file becomes FILE.1",
    fallback: undefined,
    parse: text,
  }),
  recordMaxMegabytes: setting({
    file: "record.maxMegabytes",
    flag: "--record-max-megabytes <number>",
    env: "GROVE_AUTOSCALER_RECORD_MAX_MEGABYTES",
    about: "size at which that file is full",
    fallback: 512,
    parse: whole({ min: 1 }),
  }),
  redisUrl: setting<string | undefined>({
    file: "redis.url",
    flag: "--redis-url <url>",
    env: "REDIS_URL",
    about:
      "spreads evaluations over all replicas and keeps checkpoints; default: in process, and in the policies' status",
    fallback: undefined,
    parse: url(["redis:", "rediss:"]),
  }),
  redisPrefix: setting({
    file: "redis.prefix",
    flag: "--redis-prefix <text>",
    env: "REDIS_PREFIX",
    about: "first part of every key, so that several installations can share a server",
    fallback: "grove-autoscaler",
    parse: text,
  }),
} as const;
