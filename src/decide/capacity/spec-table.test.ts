/** The capacities of the calibrated profiles on public traces, against an independent calculation over whole traces. */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { parseProfile } from "../../api/autoscaling/performance-profile.ts";
import { decodeCapacity, prefillCapacity, type RequestShape } from "./replica-capacity.ts";

const BESIDE = new URL("../../../../shared/data/", import.meta.url);
const DATA = existsSync(new URL("profiles/", BESIDE)) ? BESIDE : undefined;

/** Profile, trace, prefill requests/s, decode requests/s at 50 ms and 90 % of the KV cache. */
const TABLE = [
  ["llama-3.1-8b-bf16-h100-tp1", "azure-2023-code", 21.4, 245],
  ["llama-3.1-8b-bf16-h100-tp1", "azure-2023-conv", 37.0, 54.8],
  ["llama-3.1-8b-bf16-h100-tp1", "mooncake-conversation", 2.2, 3.1],
  ["llama-3.1-8b-bf16-h100-tp1", "servegen-deepseek-r1-h00-h14", 27.1, 2.1],
  ["llama-3.3-70b-fp8-h100-tp4", "azure-2023-conv", 15.0, 51.3],
  ["llama-3.3-70b-fp8-h100-tp4", "servegen-deepseek-r1-h00-h14", 13.1, 2.5],
  ["deepseek-r1-fp8-h200-tp8", "azure-2023-conv", 9.5, 21.8],
  ["deepseek-r1-fp8-h200-tp8", "servegen-deepseek-r1-h00-h14", 9.0, 1.7],
  ["deepseek-r1-fp8-h200-tp8", "servegen-m-large-d00", 14.1, 27.5],
  ["deepseek-r1-fp8-h200-wideep", "azure-2023-conv", 62.5, 356],
  ["deepseek-r1-fp8-h200-wideep", "servegen-deepseek-r1-h00-h14", 49.0, 27.7],
] as const;

/** From mean and variation alone, a log-normal stands for the whole trace; a few prompts 20 times the mean are beyond it. */
const toleranceOf = ({ inputVariation }: RequestShape): number => (inputVariation > 2 ? 0.2 : 0.15);

test.skipIf(DATA === undefined).each(TABLE)(
  "%s serves %s: %d prefills/s, %d decodes/s",
  (name, trace, prefill, decode) => {
    const base = DATA as URL;
    const parsed = parseProfile(readFileSync(new URL(`profiles/${name}.json`, base), "utf8"));
    if (!parsed.ok) throw new Error(parsed.problem.message);
    const shape = shapeOf(new URL(`traces/${trace}.csv.gz`, base));
    // A target beyond any queue: what is left is the utilization limit, which the table does not have.
    const most = prefillCapacity(parsed.profile, shape, { quantile: 0.5, targetMs: 1e9 });
    expect(
      Math.abs(most.requestsPerSecond / 0.95 / prefill - 1),
      `prefill ${most.requestsPerSecond / 0.95}`,
    ).toBeLessThan(toleranceOf(shape));
    const { requestsPerSecond } = decodeCapacity(parsed.profile, shape, { quantile: 0.5, targetMs: 50 });
    expect(Math.abs(requestsPerSecond / decode - 1), `decode ${requestsPerSecond}`).toBeLessThan(toleranceOf(shape));
  },
);

function shapeOf(file: URL): RequestShape {
  const rows = gunzipSync(readFileSync(file)).toString().trim().split("\n").slice(1);
  const column = (index: number) => {
    const values = rows.map((row) => Number(row.split(",")[index]));
    const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
    const square = values.reduce((sum, one) => sum + one * one, 0) / values.length;
    return { mean, variation: Math.sqrt(Math.max(0, square / mean ** 2 - 1)) };
  };
  const [input, output] = [column(1), column(2)];
  return {
    inputTokens: input.mean,
    outputTokens: output.mean,
    prefixHitRatio: 0,
    inputVariation: input.variation,
    outputVariation: output.variation,
  };
}
