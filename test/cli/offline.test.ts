/** Commands that need no cluster: `lint` and `crds`. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { runCli, scratch } from "./cli.ts";

const files = scratch();
afterAll(() => files.remove());

const example = (file: string): string =>
  fileURLToPath(new URL(`../../policies/multinode-prefill-decode/${file}`, import.meta.url));
let count = 0;
const changed = (file: string, from: string | RegExp, to: string): string =>
  files.file(`${count++}-${file}`, readFileSync(example(file), "utf8").replace(from, to));

describe("lint", () => {
  test("the example is good, also with its workload", async () => {
    expect(await runCli(["lint", "--strict", "-f", example("policy.yaml"), "-f", example("workload.yaml")])).toEqual({
      code: 0,
      err: "",
      out: "ok: ScalingPolicy llama-70b, PodCliqueSet llama-70b",
    });
  });

  test.each([
    [
      "a ratio that no whole numbers satisfy",
      /min: "1:3", max: "1:1"/,
      'min: "7:8", max: "8:9"',
      "spec.ratios[0]: no whole numbers of prefill and decode inside their bounds",
    ],
    [
      "a query",
      "sum(rate(",
      "sum(rat(",
      'spec.scaleTargets[0].metrics[0].prometheus.query: not valid PromQL: unknown function with name "rat"',
    ],
    ["an unknown field", "engine: vllm", "engin: vllm", "spec.engin: is unknown"],
  ])("%s", async (_, from, to, message) => {
    const { err, code, out } = await runCli(["lint", "-f", changed("policy.yaml", from, to)]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
    expect(err.split("\n").every((line) => line.startsWith("error: ") || line.startsWith("warning: "))).toBe(true);
  });

  test.each([
    [
      "a List of what is no object",
      "kind: List\napiVersion: v1\nitems: [null, 3]\n",
      "every object needs apiVersion, kind and metadata.name",
    ],
    ["a List without a list", "kind: List\napiVersion: v1\nitems: 3\n", "items of the List must be a list of objects"],
    ["an alias of nothing", "spec: &a [1, *b]\n", "Unresolved alias"],
    ["no object at all", "- 1\n- 2\n", "every object needs apiVersion, kind and metadata.name"],
  ])("%s is one sentence", async (_, text, message) => {
    const file = files.file(`${count++}-bad.yaml`, text);
    for (const command of ["lint", "plan"]) {
      const { err, code, out } = await runCli([command, "-f", file]);
      expect({ code, out, lines: err.split("\n").length }).toEqual({ code: 2, out: "", lines: 1 });
      expect(err).toContain(message);
    }
  });

  test("autoscalers of others that lack a spec are no reason to fail", async () => {
    const file = files.file(
      `${count++}-others.yaml`,
      [
        "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: serving}, spec: null}",
        "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: b, namespace: serving}}",
      ].join("\n---\n"),
    );
    const { code, err } = await runCli([
      "lint",
      "-f",
      example("policy.yaml"),
      "-f",
      example("workload.yaml"),
      "-f",
      file,
    ]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
  });

  test("with the PodCliqueSet at hand: names, and whether the least fits the budget", async () => {
    const workload = example("workload.yaml");
    const { err, code } = await runCli([
      "lint",
      "-f",
      changed("policy.yaml", "ref: decode", "ref: decoder"),
      "-f",
      workload,
    ]);
    expect(code).toBe(2);
    expect(err).toContain(
      'spec.scaleTargets[2].ref: "decoder": PodCliqueSet llama-70b has no scaling group of that name; it has: prefill, decode',
    );
    const small = changed("policy.yaml", "max: 48", "max: 7");
    const poor = await runCli(["lint", "-f", small, "-f", workload]);
    expect(poor.err).toContain("error: ");
    expect(poor.err).toContain("spec.gpuBudget.max: is 7, but the minimum viable set needs 8 GPUs");
    expect(poor.code).toBe(2);
    // Without the set nobody knows what a replica costs.
    expect((await runCli(["lint", "-f", small])).code).toBe(0);
  });

  test("with other policies, overrides and autoscalers at hand: the sentences of the webhook", async () => {
    const second = changed("policy.yaml", "name: llama-70b", "name: second");
    const others = files.file(
      "others.yaml",
      `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: old, namespace: serving}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: grove.io/v1alpha1, kind: PodCliqueScalingGroup, name: llama-70b-0-decode}}
---
apiVersion: autoscaling.grove.io/v1alpha1
kind: ScalingOverride
metadata: {name: launch, namespace: serving}
spec: {policyRef: {name: llama-70b}, scaleTargets: {router: {replicas: 2}}, expiresAt: "2099-01-01T00:00:00Z", reason: launch}
`,
    );
    const given = ["policy.yaml", "workload.yaml"].flatMap((name) => ["-f", example(name)]);
    const { err, code } = await runCli(["lint", ...given, "-f", second, "-f", others]);
    expect(code).toBe(2);
    expect(err).toContain("spec.targetRef.name: ScalingPolicy second already scales PodCliqueSet llama-70b");
    expect(err).toContain(
      "HorizontalPodAutoscaler old scales PodCliqueScalingGroup llama-70b-0-decode too: kubectl delete hpa old -n serving",
    );
    expect(err).toContain("spec.scaleTargets.router: is not a scale target of ScalingPolicy llama-70b; targets: ");
  });

  test("with the performance profile at hand: what its engine can reach", async () => {
    const slo = (file: string): string => example(file).replace("multinode-prefill-decode", "prefill-decode-slo");
    const profile = ["-f", slo("profile.yaml")];
    expect((await runCli(["lint", "--strict", "-f", slo("policy.yaml"), ...profile])).code).toBe(0);
    const running = files.file(
      "running.yaml",
      readFileSync(slo("policy.yaml"), "utf8").replace(
        "{name: kvCacheUsage, target: {type: Utilization, averageUtilization: 90}}",
        '{name: runningRequests, target: {type: AverageValue, averageValue: "1024"}}',
      ),
    );
    const { err, code } = await runCli(["lint", "-f", running, ...profile]);
    expect(code).toBe(2);
    expect(err).toContain("averageValue: must be at most 1023, so that limits.max_num_seqs 1024 of profile llama-3.1");
    expect((await runCli(["lint", "-f", running])).code).toBe(0);
  });

  test("nothing to lint", async () => {
    const other = files.file("other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
    expect(await runCli(["lint", "-f", other])).toEqual({
      code: 2,
      out: "",
      err: `error: ${other}: no object of a kind that lint knows`,
    });
  });
});

describe("crds", () => {
  test("all of them, or those of a group, as documents that kubectl applies", async () => {
    const { out, err, code } = await runCli(["crds"]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const documents = (text: string): unknown[] => parseAllDocuments(text).map((document) => document.toJS());
    expect(documents(out)).toEqual(JSON.parse(JSON.stringify(customResourceDefinitions())));
    const own = await runCli(["crds", "--group", "autoscaling.grove.io"]);
    expect(
      documents(own.out)
        .map((crd) => (crd as { metadata: { name: string } }).metadata.name)
        .sort(),
    ).toEqual([
      "gpubudgets.autoscaling.grove.io",
      "scalingoverrides.autoscaling.grove.io",
      "scalingpolicies.autoscaling.grove.io",
    ]);
  });
});
