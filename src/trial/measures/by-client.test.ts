import { expect, test } from "vitest";
import { seededRandom } from "../../random.ts";
import { syntheticArrivals, syntheticScenario } from "../../sim/traffic/synthetic.ts";
import { OUTCOME, type RequestColumns } from "../record.ts";
import { attainmentByClient, summarizeClients } from "./by-client.ts";

const rows = (list: readonly (readonly [arrivedMs: number, ttftMs: number])[]): RequestColumns => ({
  count: list.length,
  arrivedMs: Float64Array.from(list, ([arrivedMs]) => arrivedMs),
  ttftMs: Float32Array.from(list, ([, ttftMs]) => ttftMs),
  itlMs: Float32Array.from(list, () => 10),
  inputTokens: Uint32Array.from(list, () => 1),
  outputTokens: Uint32Array.from(list, () => 2),
  outcome: Uint8Array.from(list, ([, ttftMs]) => (Number.isNaN(ttftMs) ? OUTCOME.failed : OUTCOME.completed)),
});
const SLO = { name: "", ttftMs: 500, itlMs: 50 };
const WINDOW = { startMs: 100, endMs: 1_000 };

test("each client's own share, of the requests inside the window", () => {
  const requests = rows([
    [50, 900],
    [100, 400],
    [200, 600],
    [300, Number.NaN],
    [400, 10],
    [1_000, 900],
  ]);
  const clients = ["chat", "chat", "code", "chat", "code", "chat"];
  expect(attainmentByClient(requests, clients, SLO, WINDOW)).toEqual([
    { client: "chat", arrivedRequests: 2, attainmentRatio: 0.5 },
    { client: "code", arrivedRequests: 2, attainmentRatio: 0.5 },
  ]);
});

test("of a run that was cut off there are fewer requests than arrivals; without labels there is no client", () => {
  expect(attainmentByClient(rows([[100, 1]]), ["chat", "code", "code"], SLO, WINDOW)).toEqual([
    { client: "chat", arrivedRequests: 1, attainmentRatio: 1 },
  ]);
  expect(attainmentByClient(rows([[100, 1]]), [undefined], SLO, WINDOW)).toEqual([]);
});

test("over seeds", () => {
  const seed = (attainmentRatio: number) => [{ client: "chat", arrivedRequests: 5, attainmentRatio }];
  expect(summarizeClients([seed(0.5), seed(1)], seededRandom(1))).toEqual([
    { client: "chat", attainmentRatio: { mean: 0.75, seeds: 2 } },
  ]);
});

test("a mix of tenants is labelled by client, one client alone is not", () => {
  const of = (name: string) => [...syntheticArrivals(syntheticScenario(name, 2), seededRandom(1))];
  const mix = of("tenant-mix");
  expect(new Set(mix.map(({ client }) => client))).toEqual(new Set(["chat", "code", "summaries"]));
  // Documents of 8,000 tokens in the median against prompts of 800.
  const median = (client: string): number => {
    const own = mix
      .filter((one) => one.client === client)
      .map(({ inputTokens }) => inputTokens)
      .sort((a, b) => a - b);
    return own[Math.floor(own.length / 2)] ?? Number.NaN;
  };
  expect(median("summaries")).toBeGreaterThan(7 * median("chat"));
  expect(of("step-x2").some((one) => "client" in one)).toBe(false);
});
