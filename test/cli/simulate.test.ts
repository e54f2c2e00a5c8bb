/** `simulate` as a user types it: files in, a table or a document out, an exit code for pipelines. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli, type Scratch, scratch } from "./cli.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const SLO = ["policy", "workload", "profile"].flatMap((name) => [
  "--policy",
  join(ROOT, `policies/prefill-decode-slo/${name}.yaml`),
]);

let files: Scratch;
let trace: string;
beforeAll(() => {
  files = scratch();
  // Ten minutes of 4 requests a second.
  const rows = Array.from({ length: 2_400 }, (_, at) => `${at * 0.25},800,60`);
  trace = files.file("requests.csv", ["arrival_seconds,input_tokens,output_tokens", ...rows].join("\n"));
});
afterAll(() => files.remove());

const simulate = (...args: string[]) => runCli(["simulate", ...args]);

interface Report {
  readonly scenarios: readonly {
    readonly results: readonly {
      readonly autoscaler: string;
      readonly measures: {
        readonly values: Record<string, { readonly mean: number } | null>;
        readonly bySlo: readonly { readonly values: { readonly attainmentRatio: { readonly mean: number } } }[];
      };
    }[];
  }[];
  readonly notes: readonly string[];
}

describe("a trial", () => {
  test("of ours, of others, of oracles and of fixed replicas: one row each", async () => {
    const { code, out, err } = await simulate(...SLO, "--trace", trace, "--against", "hpa,clairvoyant,static:2,2");
    expect(err).toBe(
      "note: profile llama-3.1-8b-bf16-h100-tp1 has no cold_start: a replica is ready after 72 s (median)",
    );
    expect(code).toBe(0);
    const rows = out.split("\n");
    expect(rows).toHaveLength(5);
    expect(rows[0]).toMatch(/^AUTOSCALER +IN TIME \(500 ms \/ 50 ms\) +TTFT p90/);
    expect(rows.slice(1).map((row) => row.split(/ {2,}/)[1])).toEqual(Array(4).fill("100.00 %"));
    expect(rows[4]).toMatch(/^static:2,2 /);
  });

  test("as a document: every number, and the same again from the same seed", async () => {
    const run = async (): Promise<Report> => {
      const { code, out } = await simulate(...SLO, "--trace", trace, "-o", "json", "--seed", "3");
      expect(code).toBe(0);
      return JSON.parse(out) as Report;
    };
    const [one, again] = [await run(), await run()];
    const [result] = one.scenarios[0]?.results ?? [];
    expect(result?.autoscaler).toBe("grove");
    expect(result?.measures.bySlo[0]?.values.attainmentRatio.mean).toBe(1);
    // Eight minutes of two GPUs are judged.
    expect(result?.measures.values["allocatedGpuHours"]?.mean).toBeCloseTo((2 * 8) / 60, 2);
    const { decisionP99Micros: _, ...values } = result?.measures.values ?? {};
    const { decisionP99Micros: __, ...same } = again.scenarios[0]?.results[0]?.measures.values ?? {};
    expect(same).toEqual(values);
  });

  test("as a page", async () => {
    const page = join(files.folder, "out.html");
    const { code } = await simulate(...SLO, "--trace", trace, "--report", page);
    expect(code).toBe(0);
    const html = readFileSync(page, "utf8");
    expect(html).toContain("llama-8b-slo");
    expect(html).not.toMatch(/<(script|link|img)[^>]+(src|href)="http/);
  });

  test("of the whole system beside the fast one", async () => {
    const { code, out } = await simulate(...SLO, "--trace", trace, "--whole-system");
    expect(code).toBe(0);
    expect(out.split("\n")).toHaveLength(3);
  });

  test.each(["aggregated", "multinode-prefill-decode", "prefill-decode"])("of policies/%s", async (name) => {
    const policy = ["policy", "workload"].flatMap((file) => ["--policy", join(ROOT, `policies/${name}/${file}.yaml`)]);
    const { code, out, err } = await simulate(...policy, "--trace", trace);
    expect([code, err]).toEqual([0, expect.stringMatching(/^$|^note: /)]);
    expect(out.split("\n")[1]).toMatch(/^grove .* %/);
  });

  test("without a PodCliqueSet one is made up, and said", async () => {
    const { code, err } = await simulate(
      "--policy",
      join(ROOT, "policies/prefill-decode-slo/policy.yaml"),
      "--trace",
      trace,
    );
    expect(code).toBe(0);
    expect(err).toContain("note: no PodCliqueSet among the files: frontend has 0 GPUs a replica, prefill has 1");
    expect(err).toContain("note: ConfigMap llama-3.1-8b-h100 is not among the files");
  });
});

describe("for pipelines", () => {
  test("what is required and met is 0, what is not met is 1 with the figure", async () => {
    expect(
      (await simulate(...SLO, "--trace", trace, "--require", "attainment>=0.95", "--require", "gpuHours<1")).code,
    ).toBe(0);
    const { code, err } = await simulate(...SLO, "--trace", trace, "--require", "gpuHours<0.1");
    expect(code).toBe(1);
    expect(err.split("\n").at(-1)).toMatch(/^error: required gpuHours<0\.1, got 0\.26\d*$/);
  });
});

describe("what is wrong is named", () => {
  const profileWith = (change: (profile: Record<string, unknown>) => void): string => {
    const yaml = readFileSync(join(ROOT, "policies/prefill-decode-slo/profile.yaml"), "utf8");
    const text = yaml.slice(yaml.indexOf("profile.json: |") + "profile.json: |".length);
    const profile = JSON.parse(text) as Record<string, unknown>;
    change(profile);
    return files.file(`profile-${Math.abs(JSON.stringify(profile).length)}.json`, JSON.stringify(profile));
  };
  const bad = (name: string, text: string): string => files.file(name, text);

  test.each<[string, () => string[], RegExp]>([
    ["no policy", () => ["--trace", trace], /^error: --policy: give a file/],
    ["no traffic", () => SLO, /^error: give one of --trace FILE/],
    ["two kinds of traffic", () => [...SLO, "--trace", trace, "--traffic", "sine"], /^error: give one of --trace FILE/],
    [
      "a broken line",
      () => [...SLO, "--trace", bad("line.csv", "arrival_seconds,input_tokens,output_tokens\n0,10,10\n1,ten,10\n")],
      /^error: --trace: .*line 3: expected arrival_seconds,input_tokens,output_tokens, got "1,ten,10"$/,
    ],
    ["an empty trace", () => [...SLO, "--trace", bad("empty.csv", "")], /^error: --trace: .*no request/],
    ["an unknown shape", () => [...SLO, "--traffic", "triangle"], /^error: --traffic: .*triangle.*step-x2/],
    [
      "a rival that is none",
      () => [...SLO, "--trace", trace, "--against", "hpa,vpa"],
      /^error: --against: "vpa" is none of hpa, /,
    ],
    [
      "fixed replicas without a number",
      () => [...SLO, "--trace", trace, "--against", "static:4"],
      /^error: --against: "static:4" needs a whole number above 0 for each of prefill, decode/,
    ],
    [
      "a requirement that is none",
      () => [...SLO, "--trace", trace, "--require", "attainment=1"],
      /^error: --require: "attainment=1" is not like attainment>=0\.95/,
    ],
    [
      "a warm-up longer than the traffic",
      () => [...SLO, "--trace", trace, "--warm-up", "1h"],
      /^error: --warm-up: 3600 s leave nothing of 600 s/,
    ],
    ["a range without a Prometheus", () => [...SLO, "--from", "6h"], /^error: --from: give --prometheus URL too/],
    [
      "scrapes that are all lost",
      () => [...SLO, "--trace", trace, "--scrape-loss", "100%"],
      /^error: --scrape-loss: "100%"/,
    ],
    [
      "a profile without a step table",
      () => [...SLO, "--trace", trace, "--profile", profileWith((profile) => delete profile["decode"])],
      /^error: --profile: .*: decode\.grid must be a list of points/,
    ],
    [
      "a cache without room for one request",
      () => [
        ...SLO,
        "--trace",
        trace,
        "--profile",
        profileWith((profile) => Object.assign(profile, { kv_cache: { decode: { worker_tokens: 64 } } })),
      ],
      /^error: profile .*kv_cache\..*\.worker_tokens .*no room for one request/,
    ],
    [
      "a policy for another set",
      () => [
        "--policy",
        join(ROOT, "policies/prefill-decode-slo/policy.yaml"),
        "--policy",
        join(ROOT, "policies/prefill-decode/workload.yaml"),
        "--trace",
        trace,
      ],
      /^error: .*spec\.targetRef\.name is llama-8b-slo, and the files hold the PodCliqueSet/,
    ],
  ])("%s", async (_, args, sentence) => {
    const { code, err } = await simulate(...args());
    expect(err.split("\n").at(-1)).toMatch(sentence);
    expect(code).toBe(2);
  });

  describe.each(["--policy", "--profile", "--trace"])("%s", (flag) => {
    const withFile = (file: string): string[] => {
      const given: Record<string, string[]> = { "--policy": SLO, "--trace": ["--trace", trace], "--profile": [] };
      return Object.values({ ...given, [flag]: [flag, file] }).flat();
    };

    test.each<[string, () => string, string]>([
      ["that is not there", () => join(files.folder, "none.csv"), "there is no such file: check the path"],
      ["that is a folder", () => files.folder, "it is a folder: name a file in it"],
      ["below a file", () => join(trace, "x.csv"), "a part of the path is a file: check the path"],
    ])("a file %s is named with the flag and the way out, without system words", async (_, path, sentence) => {
      const { code, err } = await simulate(...withFile(path()));
      expect([code, err]).toEqual([2, `error: ${flag}: cannot read ${path()}: ${sentence}`]);
    });
  });

  test("a trace that is called .gz and is not", async () => {
    const { code, err } = await simulate(...SLO, "--trace", bad("plain.csv.gz", "arrival_seconds"));
    expect(code).toBe(2);
    expect(err).toMatch(/^error: --trace: cannot read .*plain\.csv\.gz: it is no whole gzip file: .*\.csv$/);
  });

  test.each<[string, () => string, string]>([
    [
      "in a folder that is not there",
      () => join(files.folder, "none/out.html"),
      "its folder is not there: make it, or name another",
    ],
    ["that is a folder", () => files.folder, "it is a folder: name a file in it"],
  ])("a report %s is refused before anything is simulated", async (_, path, sentence) => {
    const { code, out, err } = await simulate(...SLO, "--trace", trace, "--report", path());
    expect([code, out, err]).toEqual([2, "", `error: --report: cannot write ${path()}: ${sentence}`]);
  });

  test("a policy that admission refuses, by its field", async () => {
    const text = readFileSync(join(ROOT, "policies/prefill-decode-slo/policy.yaml"), "utf8");
    const file = join(files.folder, "refused.yaml");
    writeFileSync(file, text.replace("minReplicas: 1", "minReplicas: 9"));
    const { code, err } = await simulate("--policy", file, "--trace", trace);
    expect(code).toBe(2);
    expect(err).toMatch(/error: .*refused\.yaml: ScalingPolicy llama-8b-slo: spec\.scaleTargets\[0\]/);
  });
});
