import { describe, expect, test } from "vitest";
import { VirtualClock } from "../clock.ts";
import { breakCircuit } from "./circuit-breaker.ts";
import { MetricsError, type MetricsSource } from "./metrics-source.ts";

interface Server extends MetricsSource {
  asked: number;
  answer: "ok" | MetricsError["kind"] | "never";
}

function server(): Server {
  const one: Server = {
    asked: 0,
    answer: "ok",
    query() {
      one.asked++;
      if (one.answer === "ok") return Promise.resolve([]);
      if (one.answer === "never") return new Promise(() => undefined);
      return Promise.reject(new MetricsError(one.answer, "ECONNREFUSED"));
    },
    queryRange: async () => [],
  };
  return one;
}

async function failing(answer: Server["answer"], times: number) {
  const clock = new VirtualClock();
  const source = server();
  const breaker = breakCircuit({ source, clock });
  source.answer = answer;
  for (let turn = 0; turn < times; turn++) await breaker.query("up").catch(() => undefined);
  return { clock, source, breaker };
}

describe("circuit breaker", () => {
  test("after five failures in a row nothing is asked, and the refusal says why and until when", async () => {
    const { source, breaker } = await failing("Unreachable", 8);
    expect([source.asked, breaker.state]).toEqual([5, "open"]);
    await expect(breaker.query("up")).rejects.toMatchObject({
      kind: "Unreachable",
      message: "not asked after 5 failures in a row, next try in 5 s; the last was: ECONNREFUSED",
    });
  });

  test("four failures and an answer leave it closed", async () => {
    const { source, breaker } = await failing("Unreachable", 4);
    source.answer = "ok";
    await breaker.query("up");
    source.answer = "Unreachable";
    for (let turn = 0; turn < 4; turn++) await breaker.query("up").catch(() => undefined);
    expect([source.asked, breaker.state]).toEqual([9, "closed"]);
  });

  test("when the pause is over one question goes through, and its answer closes the circuit", async () => {
    const { clock, source, breaker } = await failing("Unreachable", 5);
    await clock.advance(5_000);
    expect(breaker.state).toBe("half-open");
    source.answer = "ok";
    await expect(breaker.query("up")).resolves.toEqual([]);
    expect(breaker.state).toBe("closed");
  });

  test("while that one question waits, the others are refused", async () => {
    const { clock, source, breaker } = await failing("Unreachable", 5);
    await clock.advance(5_000);
    source.answer = "never";
    void breaker.query("up");
    await expect(breaker.query("up")).rejects.toThrow(/one question is under way/);
    expect(source.asked).toBe(6);
  });

  test("each failed try doubles the pause, up to a minute", async () => {
    const { clock, source, breaker } = await failing("Unreachable", 5);
    const askedAtSeconds: number[] = [];
    for (let second = 1; second <= 200; second++) {
      await clock.advance(1_000);
      const before = source.asked;
      await breaker.query("up").catch(() => undefined);
      if (source.asked > before) askedAtSeconds.push(second);
    }
    expect(askedAtSeconds).toEqual([5, 15, 35, 75, 135, 195]);
  });

  test.each(["QueryInvalid", "TooLarge", "Failed"] as const)("a server that answers %s is there", async (kind) => {
    const { source, breaker } = await failing(kind, 20);
    expect([source.asked, breaker.state]).toEqual([20, "closed"]);
  });

  test("a caller that gives up says nothing about the server", async () => {
    const clock = new VirtualClock();
    const source = server();
    source.answer = "Unreachable";
    const breaker = breakCircuit({ source, clock });
    for (let turn = 0; turn < 10; turn++) {
      await breaker.query("up", { signal: AbortSignal.abort() }).catch(() => undefined);
    }
    expect([source.asked, breaker.state]).toEqual([10, "closed"]);
  });
});
