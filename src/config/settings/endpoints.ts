/** Where the process listens, and what it says. */
import { boolean, oneOf, text, whole } from "../parse.ts";
import { setting } from "../setting.ts";

export const ENDPOINTS = {
  address: setting({
    file: "server.address",
    flag: "--address <ip>",
    env: "GROVE_AUTOSCALER_ADDRESS",
    about: "where /metrics, /healthz and /readyz listen",
    fallback: "0.0.0.0",
    parse: text,
  }),
  port: setting({
    file: "server.port",
    flag: "--port <number>",
    env: "GROVE_AUTOSCALER_PORT",
    about: "0: a free one",
    fallback: 8080,
    parse: whole({ min: 0, max: 65_535 }),
  }),
  webhooks: setting({
    file: "webhooks.enabled",
    flag: "--webhooks",
    env: "GROVE_AUTOSCALER_WEBHOOKS",
    about: "serve the admission webhooks of policies, overrides and budgets (deploy/webhooks registers them)",
    fallback: false,
    parse: boolean,
  }),
  webhookPort: setting({
    file: "webhooks.port",
    flag: "--webhook-port <number>",
    env: "GROVE_AUTOSCALER_WEBHOOK_PORT",
    about: "where the webhooks listen, at the address of the probes; 0: a free one",
    fallback: 9443,
    parse: whole({ min: 0, max: 65_535 }),
  }),
  logLevel: setting<"debug" | "info" | "warn" | "error">({
    file: "log.level",
    flag: "--log-level <level>",
    env: "GROVE_AUTOSCALER_LOG_LEVEL",
    about: "debug, info, warn or error",
    fallback: "info",
    parse: oneOf("debug", "info", "warn", "error"),
  }),
  logFormat: setting<"json" | "text">({
    file: "log.format",
    flag: "--log-format <format>",
    env: "GROVE_AUTOSCALER_LOG_FORMAT",
    about: "json or text",
    fallback: "json",
    parse: oneOf("json", "text"),
  }),
} as const;
