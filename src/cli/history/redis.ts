/** The decisions that the service's Redis keeps, where the command line or the environment names it. */
import type { Command } from "commander";
import { SETTINGS } from "../../config/settings.ts";
import type { DecisionLog } from "../../jobs/decision-log.ts";
import { CommandError, UsageError } from "../errors.ts";
import type { Terminal } from "../terminal.ts";

export interface RedisFlags {
  readonly redisUrl?: string;
  readonly redisPrefix?: string;
}

const { redisUrl, redisPrefix } = SETTINGS;

export function withRedisFlags(command: Command): Command {
  return command
    .option(redisUrl.flag, `Redis that the service uses: reads further back (default: $${redisUrl.env})`)
    .option(redisPrefix.flag, `first part of its keys (default: $${redisPrefix.env}, else ${redisPrefix.fallback})`);
}

/** @returns undefined when no Redis is named */
export async function readLog(
  flags: RedisFlags,
  { environment, clock }: Terminal,
  { isWanted, fromMs }: { isWanted(policyKey: string): boolean; readonly fromMs: number | undefined },
): Promise<DecisionLog | undefined> {
  const given = flags.redisUrl ?? environment[redisUrl.env];
  if (given === undefined || given === "") return undefined;
  const where = flags.redisUrl === undefined ? redisUrl.env : "--redis-url";
  const url = parseUrl(given, where);
  const prefix = flags.redisPrefix ?? (environment[redisPrefix.env] || redisPrefix.fallback);
  // A client that no other command should pay for.
  const [{ connectRedis }, { readDecisions }] = await Promise.all([
    import("../../jobs/redis-link.ts"),
    import("../../jobs/decision-log.ts"),
  ]);
  const link = await connectRedis({ url, clock });
  try {
    const log = await readDecisions({ link, prefix, ...(fromMs === undefined ? {} : { fromMs }) });
    return { ...log, decisions: log.decisions.filter(({ policy }) => isWanted(policy)) };
  } catch (error) {
    const why = link.client.status === "ready" && error instanceof Error ? error.message : "no connection";
    throw new CommandError(
      `cannot read decisions from Redis at ${new URL(url).host} (${where}): ${why}; without it, history shows what the policies' statuses keep`,
    );
  } finally {
    await link.close();
  }
}

function parseUrl(given: string, where: string): string {
  try {
    return redisUrl.parse(given) ?? given;
  } catch (error) {
    throw new UsageError(`${where}: ${error instanceof Error ? error.message : error}`);
  }
}
