/** What is chosen with the reported part in view. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { SYNTHETIC_CASES } from "../../bench/compare/cases.ts";
import { hindsightOf } from "../../bench/compare/hindsight.ts";
import { contestantOf } from "../../bench/compare/job.ts";
import { scratch } from "../cli/cli.ts";

const files = scratch();
afterAll(() => files.remove());

/** Generated traffic needs a profile alone; that of the shipped policy will do. */
function dataFor(profile: string): string {
  const yaml = readFileSync(new URL("../../policies/prefill-decode-slo/profile.yaml", import.meta.url), "utf8");
  mkdirSync(join(files.folder, "profiles"));
  writeFileSync(join(files.folder, "profiles", profile), yaml.slice(yaml.indexOf("profile.json: |") + 15));
  return files.folder;
}

describe("fixed replicas at the peak", () => {
  const waves = SYNTHETIC_CASES.find(({ name }) => name === "sine-30") ?? expect.fail("no such case");
  const one = { ...waves, traffic: { synthetic: "sine-30", requestsPerSecond: 40 } };
  const hindsight = hindsightOf(one, dataFor(one.profile));
  const candidatesOf = (name: string) => hindsight.find((each) => each.name === name)?.candidates ?? [];

  test("are one candidate, with the most of each role that any fixed choice has", () => {
    const fixed = candidatesOf("static").map(({ replicas }) => replicas);
    const most = (role: "prefill" | "decode"): number => Math.max(...fixed.map((each) => each?.[role] ?? 0));
    expect(fixed.length).toBeGreaterThan(1);
    expect(candidatesOf("static-peak")).toEqual([
      { name: "static-peak", parameters: {}, replicas: { prefill: most("prefill"), decode: most("decode") } },
    ]);
  });

  test("stay as they are in a trial", () => {
    const [peak] = candidatesOf("static-peak");
    const { prefill = 0, decode = 0 } = peak?.replicas ?? {};
    expect(peak && contestantOf(peak)).toEqual({
      kind: "Static",
      replicas: new Map([
        ["prefill", prefill],
        ["decode", decode],
      ]),
    });
  });
});
