/** `simulate` as a user types it: files in, a table or a document out, an exit code for pipelines. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { ComparisonReport } from "../../src/report/comparison-report.ts";
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
  readonly command: string;
}

describe("a trial", () => {
  test("the report has the command line as it was typed, to be pasted into a shell", async () => {
    const page = join(files.folder, "it's here.html");
    const args = [...SLO, "--trace", trace, "--require", "attainment>=0.5", "--report", page, "-o", "json"];
    const { out } = await simulate(...args);
    const { command } = JSON.parse(out) as Report;
    expect(command).toMatch(/^grove-autoscaler simulate --policy \S+policy\.yaml /);
    const words = execFileSync("sh", ["-c", command.replace("grove-autoscaler", "printf '%s\\n'")], {
      encoding: "utf8",
    });
    expect(words.trimEnd().split("\n")).toEqual(["simulate", ...args]);
    expect(readFileSync(page, "utf8")).toContain(`--trace ${trace} --require &#39;attainment&gt;=0.5&#39;`);
  });

  test("of ours, of others, of oracles and of fixed replicas: one row each", async () => {
    const { code, out, err } = await simulate(...SLO, "--trace", trace, "--against", "hpa,clairvoyant,static:2,2");
    expect(err).toBe(
      "note: profile llama-3.1-8b-bf16-h100-tp1 has no cold_start: a replica is ready after 72 s (median)",
    );
    expect(code).toBe(0);
    const rows = out.split("\n");
    expect(rows).toHaveLength(6);
    expect(rows[0]).toMatch(/^AUTOSCALER +IN TIME +TTFT p90/);
    expect(rows.at(-1)).toBe("In time: first token within 500 ms, then one every 50 ms on average");
    expect(rows.slice(1, -1).map((row) => row.split(/ {2,}/)[1])).toEqual(Array(4).fill("100.00 %"));
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

  test("as a document: what is known in hindsight is called so, with its replicas, what each seed gave, and what a miss is worth", async () => {
    const { out } = await simulate(...SLO, "--trace", trace, "--against", "static:2,2", "--seeds", "2", "-o", "json");
    const { scenarios, missWorths, tuning } = JSON.parse(out) as ComparisonReport;
    expect(missWorths).toEqual([{ name: "low" }, { name: "mid" }, { name: "high" }]);
    expect(tuning).toMatchObject({ trials: 0, scenarios: [] });
    const [scenario] = scenarios;
    expect(scenario?.gpuHoursPerMiss).toEqual({ low: 0.0001, mid: 0.001, high: 0.01 });
    const each = { attainmentRatio: 1, allocatedGpuHours: expect.any(Number) };
    const bySeed = [expect.objectContaining({ seed: 1, ...each }), expect.objectContaining({ seed: 2, ...each })];
    expect(scenario?.results).toEqual([
      expect.objectContaining({ autoscaler: "grove", parameters: "default", parameterValues: {}, bySeed }),
      expect.objectContaining({ parameters: "hindsight", replicas: { prefill: 2, decode: 2 }, bySeed }),
    ]);
  });

  test("of a mix of tenants: the share of each, on the screen, in the document and on the page", async () => {
    const page = join(files.folder, "mix.html");
    const mix = [...SLO, "--traffic", "tenant-mix", "--rate", "2"];
    const { code, out } = await simulate(...mix, "--report", page);
    expect(code).toBe(0);
    expect(out.split("\n").at(-1)).toMatch(/^grove: chat \d+\.\d\d %, code \d+\.\d\d %, summaries \d+\.\d\d %$/);
    const html = readFileSync(page, "utf8");
    expect(html).toContain("SLO attainment, %, requests of summaries");
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
    expect(out.split("\n")).toHaveLength(4);
  });

  test("of the whole system with a set that is made up", async () => {
    const policy = join(ROOT, "policies/prefill-decode-slo/policy.yaml");
    const { code, out, err } = await simulate("--policy", policy, "--trace", trace, "--whole-system");
    expect([code, err]).toEqual([0, expect.stringContaining("no PodCliqueSet among the files")]);
    expect(out.split("\n").at(-2)).toMatch(/^grove-whole-system +100\.00 %/);
  });

  test.each([[[]], [["--whole-system"]]])("on a cluster that is too small for the set: %j", async (more) => {
    const { code, out, err } = await simulate(...SLO, "--trace", trace, "--gpus", "1", "--gpus-per-node", "1", ...more);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/the set is not available after 120 min: is the cluster too small for it \(--gpus/);
    expect(err).not.toContain("    at ");
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

describe("in a terminal", () => {
  const watch = async (columns: number, ...args: string[]) => {
    const bars: string[] = [];
    const { out, err } = await runCli(["simulate", ...SLO, "--trace", trace, ...args], {
      columns,
      isInteractive: true,
      onProgress: (text) => {
        bars.push(text);
        return false;
      },
    });
    return { bars, lines: [...out.split("\n"), ...err.split("\n")] };
  };

  test.each([80, 40, 20])(
    "the progress bar grows on one line of %i columns, whatever is tried, and is gone at the end",
    async (columns) => {
      const { bars } = await watch(columns, "--against", "dynamo-sla");
      expect(Math.max(...bars.map((bar) => bar.length))).toBeLessThan(columns);
      expect(bars.at(-1)).toBe("");
      const percents = bars.slice(0, -1).map((bar) => Number(/(\d+) %/.exec(bar)?.[1]));
      expect(percents).toEqual(percents.toSorted((a, b) => a - b));
      expect(percents.at(-1)).toBe(100);
    },
  );

  test("notes are wrapped between words", async () => {
    const { lines } = await watch(60);
    expect(lines).toContain("note: profile llama-3.1-8b-bf16-h100-tp1 has no cold_start:");
  });
});

describe("cut off by Ctrl-C", () => {
  const cutAt = async (isNow: (progress: string) => boolean, ...args: string[]) => {
    const page = join(files.folder, `cut-${Math.random()}.html`);
    const result = await runCli(["simulate", ...SLO, "--trace", trace, "--report", page, ...args], {
      onProgress: isNow,
    });
    return { ...result, html: readFileSync(page, "utf8"), last: result.err.split("\n").at(-1) };
  };
  const percentIn = (progress: string): number => Number(/(\d+) %/.exec(progress)?.[1] ?? 0);

  test("in the middle of a rival: ours is whole, the rival is there until then, the report is written and says so, exit code 1", async () => {
    const { code, out, html, last } = await cutAt(
      (progress) => progress.includes("hpa") && percentIn(progress) > 50,
      "--against",
      "hpa,keda",
    );
    expect(code).toBe(1);
    expect(last).toBe("error: cut off: these are the figures until then");
    expect(
      out
        .split("\n")
        .slice(1, -1)
        .map((row) => row.split(" ")[0]),
    ).toEqual(["grove", "hpa"]);
    expect(html).toContain("cut off: what was tried until then");
  });

  test("in the middle of ours: what arrived until then is judged", async () => {
    const { code, out } = await cutAt((progress) => percentIn(progress) > 15, "-o", "json", "--against", "hpa");
    expect(code).toBe(1);
    const { scenarios, notes } = JSON.parse(out) as Report;
    expect(notes).toContain("cut off: what was tried until then");
    const results = scenarios[0]?.results ?? [];
    expect(results.map(({ autoscaler }) => autoscaler)).toEqual(["grove"]);
    const { mean = 0 } = results[0]?.measures.values["arrivedRequests"] ?? {};
    // Eight minutes of four a second are judged when it is whole.
    expect(mean).toBeGreaterThan(100);
    expect(mean).toBeLessThan(1_900);
  });

  test("before anything counts: nothing is made up", async () => {
    const { code, out, last } = await cutAt(() => true);
    expect([code, last]).toEqual([1, "error: cut off: these are the figures until then"]);
    expect(out.split("\n")[1]).toMatch(/^grove +\? +\? +\? +\? +0\.0 +\? /);
  });

  test("what is required does not count as met", async () => {
    expect((await cutAt((progress) => percentIn(progress) > 50, "--require", "attainment>=0.5")).code).toBe(1);
  });
});

describe("what requests are judged by", () => {
  const withoutSlo = (change: (spec: Record<string, unknown>) => void): string[] => {
    const yaml = parse(readFileSync(join(ROOT, "policies/prefill-decode-slo/policy.yaml"), "utf8")) as {
      spec: Record<string, unknown>;
    };
    change(yaml.spec);
    return ["--policy", files.file("judged.yaml", stringify(yaml)), ...SLO.slice(2), "--trace", trace];
  };

  test("a policy without slo: by half a second and 50 ms, which is said on the screen and in the report", async () => {
    const page = join(files.folder, "judged.html");
    const { code, out, err } = await simulate(...withoutSlo((spec) => delete spec["slo"]), "--report", page);
    const sentence =
      "spec.slo has no ttft and no itl: requests are judged by 500 ms to the first token and 50 ms between tokens; set spec.slo to judge by goals of your own";
    expect(code).toBe(0);
    expect(out).toContain("In time: first token within 500 ms, then one every 50 ms on average");
    expect(err.split("\n")).toContain(`note: ${sentence}`);
    expect(readFileSync(page, "utf8")).toContain(sentence);
  });

  test("a policy with one goal of the two", async () => {
    const { err } = await simulate(...withoutSlo((spec) => Object.assign(spec, { slo: { itl: { target: "40ms" } } })));
    expect(err.split("\n")).toContain(
      "note: spec.slo has no ttft: requests are judged by 500 ms to the first token; set spec.slo to judge by goals of your own",
    );
  });

  test("a policy with both: nothing is said", async () => {
    expect((await simulate(...SLO, "--trace", trace)).err).not.toContain("spec.slo");
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

const changedPolicy = (name: string, change: (text: string) => string): string[] => {
  const text = readFileSync(join(ROOT, "policies/prefill-decode-slo/policy.yaml"), "utf8");
  return ["--policy", files.file(name, change(text)), ...SLO.slice(2)];
};

describe("an oracle that cannot plan is refused before anything is tried", () => {
  test.each<[string, (text: string) => string, string, RegExp]>([
    [
      "too many replicas to choose from",
      (text) => text.replace("maxReplicas: 8", "maxReplicas: 400").replace("maxReplicas: 16", "maxReplicas: 400"),
      "clairvoyant",
      /^error: --against: the clairvoyant oracle: spec\.scaleTargets\[\*\]\.maxReplicas allow 160,000 combinations of replicas, and at most 65,536 are planned: lower them, or leave it out$/,
    ],
    [
      "a budget and a band that leave nothing",
      // A GPU for each: no pair of one and two of them is both 2:1 and within three GPUs but for 2 and 1.
      (text) => text.replace('min: "1:8", max: "2:1"', 'min: "7:5", max: "3:2"').replace("max: 24", "max: 4"),
      "all",
      /^error: --against: the clairvoyant oracle: no replicas between minReplicas and maxReplicas fit spec\.gpuBudget\.max \(4\) and spec\.ratios: widen one of them, or leave it out$/,
    ],
  ])("%s", async (name, change, against, sentence) => {
    const progress: string[] = [];
    const { code, out, err } = await runCli(
      ["simulate", ...changedPolicy(`${name}.yaml`, change), "--trace", trace, "--against", against],
      {
        onProgress: (text) => {
          progress.push(text);
          return false;
        },
      },
    );
    expect([code, out, progress]).toEqual([2, "", []]);
    expect(err.split("\n").at(-1)).toMatch(sentence);
  });
});

describe("requests that no engine has room for", () => {
  const withRoom = (tokens: number): string[] => {
    const yaml = readFileSync(join(ROOT, "policies/prefill-decode-slo/profile.yaml"), "utf8");
    const profile = JSON.parse(yaml.slice(yaml.indexOf("profile.json: |") + "profile.json: |".length)) as object;
    const changed = {
      ...profile,
      kv_cache: { prefill: { worker_tokens: tokens }, decode: { worker_tokens: 100_000 } },
    };
    return ["--profile", files.file(`room-${tokens}.json`, JSON.stringify(changed))];
  };

  test("none fits: refused, with the field and both numbers", async () => {
    const { code, out, err } = await simulate(...SLO, "--trace", trace, ...withRoom(800));
    expect([code, out]).toEqual([2, ""]);
    expect(err.split("\n").at(-1)).toMatch(
      /^error: profile \S+: kv_cache\.prefill\.worker_tokens has room for one request of 800 tokens, and the shortest prompt of the traffic has 800 and needs one more for its answer: nothing can be served; raise it, or give another traffic$/,
    );
  });

  test("some do not: how many, and the first of them", async () => {
    const rows = Array.from({ length: 400 }, (_, at) => `${at},${at === 390 || at === 395 ? 2_500 : 800},10`);
    const mixed = files.file("mixed.csv", ["arrival_seconds,input_tokens,output_tokens", ...rows].join("\n"));
    const { code, err } = await simulate(...SLO, "--trace", mixed, ...withRoom(2_500));
    expect(code).toBe(0);
    expect(err).toMatch(
      /note: 2 of 400 requests do not fit: profile \S+: kv_cache\.prefill\.worker_tokens has room for one request of 2,500 tokens, and the first that does not, at 390\.0 s, has a prompt of 2,500$/,
    );
  });

  test("all fit: nothing is said", async () => {
    expect((await simulate(...SLO, "--trace", trace, ...withRoom(2_500))).err).not.toContain("do not fit");
  });
});

describe("the whole system has the engines and the scrapes that the flags ask for", () => {
  const rows = Array.from({ length: 2_400 }, (_, at) => {
    const seconds = at < 600 ? at / 8 : 75 + (at - 600) / 16;
    // Taken in turns, the long ones all meet.
    return at % 2 === 0 ? `${seconds},4096,60,1-8` : `${seconds},512,60,9`;
  });
  const measured = async (...args: string[]): Promise<Record<string, number | undefined>> => {
    const blocks = files.file("blocks.csv", ["arrival_seconds,input_tokens,output_tokens,blocks", ...rows].join("\n"));
    const policy = changedPolicy("two.yaml", (text) =>
      text.replace("ref: prefill\n    minReplicas: 1", "ref: prefill\n    minReplicas: 2"),
    );
    const { out } = await simulate(
      ...policy,
      "--trace",
      blocks,
      "--rate-factor",
      "3",
      "--whole-system",
      "-o",
      "json",
      ...args,
    );
    const results = (JSON.parse(out) as Report).scenarios[0]?.results ?? [];
    const { values } = results.find(({ autoscaler }) => autoscaler === "grove-whole-system")?.measures ?? {};
    return Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [key, value?.mean]));
  };

  test("prefix caching, routing and lost scrapes", async () => {
    const plain = await measured();
    const cached = await measured("--prefix-caching");
    const turned = await measured("--routing", "round-robin");
    const lossy = await measured("--scrape-loss", "90%");
    expect(cached["ttftP50Ms"]).toBeLessThan(0.8 * (plain["ttftP50Ms"] ?? 0));
    expect(turned["ttftP99Ms"]).toBeGreaterThan(plain["ttftP99Ms"] ?? Number.NaN);
    expect(lossy["allocatedGpuHours"]).not.toBe(plain["allocatedGpuHours"]);
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

  test("two policies, in one file or two: both are named, and that one has to be left out", async () => {
    const text = readFileSync(join(ROOT, "policies/prefill-decode-slo/policy.yaml"), "utf8");
    const second = text.replace("name: llama-8b-slo\n  namespace", "name: another\n  namespace");
    const one = files.file("two.yaml", `${text}\n---\n${second}`);
    const { code, err } = await simulate("--policy", one, "--trace", trace);
    expect([code, err]).toEqual([
      2,
      `error: --policy: ${one} holds the ScalingPolicies llama-8b-slo and another: one is simulated at a time, leave the others out`,
    ]);
    const apart = await simulate(...SLO, "--policy", files.file("second.yaml", second), "--trace", trace);
    expect([apart.code, apart.err]).toEqual([2, expect.stringContaining("llama-8b-slo and another: one is simulated")]);
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
