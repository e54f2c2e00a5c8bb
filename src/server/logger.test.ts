import { expect, test } from "vitest";
import { VirtualClock } from "../clock.ts";
import { createLogger, type LoggerOptions } from "./logger.ts";

function capture(options: Pick<LoggerOptions, "level" | "format">) {
  const lines: string[] = [];
  const log = createLogger({
    ...options,
    clock: new VirtualClock(Date.UTC(2026, 0, 1)),
    stream: { write: (line) => void lines.push(line) },
  });
  return { log, lines };
}

test("a line is one JSON object with the level as text", () => {
  const { log, lines } = capture({ level: "info", format: "json" });
  log.child({ policy: "serving/llama" }).warn({ failures: 3 }, "metrics are gone");
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: "warn", time: "2026-01-01T00:00:00Z", policy: "serving/llama", failures: 3, msg: "metrics are gone" },
  ]);
});

test("lines below the level are dropped", () => {
  const { log, lines } = capture({ level: "warn", format: "json" });
  log.debug({}, "a");
  log.info({}, "b");
  log.error({}, "c");
  expect(lines).toHaveLength(1);
});

test("text is for people", () => {
  const { log, lines } = capture({ level: "debug", format: "text" });
  log.info({ lease: "a/b", why: "two words" }, "became leader");
  expect(lines).toEqual(['2026-01-01T00:00:00Z INFO  became leader  lease=a/b why="two words"\n']);
});

test("what is secret is not written", () => {
  const { log, lines } = capture({ level: "info", format: "json" });
  log.info({ token: "abc", headers: { authorization: "Bearer abc" } }, "x");
  expect(lines.join("")).not.toContain("abc");
});
