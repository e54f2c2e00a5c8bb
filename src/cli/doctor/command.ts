/** `grove-autoscaler doctor`: everything that an installation needs, looked at from outside, each with its way out. */
import type { Command } from "commander";
import { GPU_BUDGETS } from "../../api/autoscaling/gpu-budget.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { KEDA_SCALED_OBJECTS } from "../../api/keda/scaled-object.ts";
import { VALIDATING_WEBHOOK_CONFIGURATIONS } from "../../api/kubernetes/admission-registration.ts";
import { HORIZONTAL_POD_AUTOSCALERS } from "../../api/kubernetes/core.ts";
import type { KubeObject, ObjectMeta, Resource } from "../../api/kubernetes/meta.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import type { PolicySurroundings } from "../../autoscaler/review-policy.ts";
import { SETTINGS } from "../../config/settings.ts";
import { OPERATOR_LEASE_NAME } from "../../grove/configuration/schema.ts";
import { ApiError, isNotFound } from "../../kube/api-error.ts";
import { MetricsError, type MetricsSource } from "../../observe/metrics-source.ts";
import { type Cluster, type ClusterFlags, withCluster, withClusterFlags } from "../cluster.ts";
import { CommandError } from "../errors.ts";
import { widthOf } from "../explain/command.ts";
import { someNames } from "../find.ts";
import { isForPrograms, type OutputFlags, printValue, withOutputFlag } from "../output.ts";
import { type PrometheusFlags, prometheusFrom, withPrometheusFlags } from "../plan/prometheus.ts";
import type { Terminal } from "../terminal.ts";
import { hang, type Paint, paintFor } from "../text.ts";
import { type Check, failed, ok, skipped, unlessRefused, warning } from "./check.ts";
import { checkCrds } from "./crds.ts";
import { type LeaseState, leaseState } from "./leases.ts";
import { AUTOSCALER_RIGHTS, checkPermissions, OPERATOR_RIGHTS } from "./permissions.ts";
import { checkPolicies, isDecidedLately } from "./policies.ts";

interface Flags extends ClusterFlags, OutputFlags, PrometheusFlags {
  readonly leaseName?: string;
  readonly leaseNamespace?: string;
}

const { leaseName, leaseNamespace } = SETTINGS;

export function addDoctorCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("doctor")
    .description("check an installation: API server, CRDs, rights, leaders, policies, other autoscalers, Prometheus")
    .option(leaseName.flag, `${leaseName.about} (default: $${leaseName.env}, else ${leaseName.fallback})`)
    .option(leaseNamespace.flag, `namespace of the Lease (default: $${leaseNamespace.env}, else wherever it is)`);
  withOutputFlag(withClusterFlags(withPrometheusFlags(command), { isForAllNamespaces: true }), "text");
  command
    .addHelpText(
      "after",
      `
Policies are those of the namespace, or with -A of all. Rights are those of the user who asks, everywhere, or with -n in that namespace.
Exit code: 0 nothing failed (there may be warnings), 1 a check failed, 2 the command line is wrong.

Examples:
  grove-autoscaler doctor -A
  grove-autoscaler doctor -n serving --prometheus http://localhost:9090
  grove-autoscaler doctor -A -o json | jq '.checks[] | select(.status == "failed")'`,
    )
    .action(async (flags: Flags) => {
      const metricsSource = await prometheusFrom(flags, terminal.environment, terminal.clock);
      const checks = [...(await checkCluster(flags, terminal)), ...(await checkPrometheus(metricsSource))];
      print(checks, flags, terminal);
      if (checks.some(({ status }) => status === "failed")) terminal.exitCode(1);
    });
}

async function checkCluster(flags: Flags, terminal: Terminal): Promise<readonly Check[]> {
  try {
    return await withCluster(flags, terminal, (cluster) => checksOf(cluster, flags, terminal));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const [message = "", ...wayOut] = error.message.split("; ");
    return [failed("API server", message, wayOut.join("; ") || "see whether kubectl gets an answer")];
  }
}

async function checksOf(cluster: Cluster, flags: Flags, terminal: Terminal): Promise<readonly Check[]> {
  const { api, user, serverUrl } = cluster;
  const nowMs = cluster.nowMs();
  const version = await cluster.version();
  const lease = await leaseState({ api, nowMs, ...leaseOf(flags, terminal), usualNamespace: "grove-autoscaler" });
  const operatorLease = await leaseState({
    api,
    nowMs,
    name: OPERATOR_LEASE_NAME,
    usualNamespace: "grove-system",
  });
  const scope = flags.allNamespaces === true ? {} : { namespace: cluster.namespace };
  const seen = await readPolicies(cluster, scope);
  const rights = { api, user, namespace: flags.namespace };
  return [
    ok("API server", `${version ?? "of a version that it does not say"}, at ${serverUrl}`),
    ...(await checkCrds(api)),
    ...(await unlessRefused("rights of the autoscaler", () =>
      checkPermissions({
        ...rights,
        check: "rights of the autoscaler",
        needed: AUTOSCALER_RIGHTS,
        manifest: "deploy/manifests/rbac-autoscaler.yaml",
      }),
    )),
    ...(operatorLease.kind === "held"
      ? [skipped("rights of the operator", "another operator runs, with a role of its own")]
      : await unlessRefused("rights of the operator", () =>
          checkPermissions({
            ...rights,
            check: "rights of the operator",
            needed: OPERATOR_RIGHTS,
            manifest: "deploy/manifests/rbac-operator.yaml",
          }),
        )),
    autoscalerCheck(lease, seen.policies, nowMs),
    operatorCheck(operatorLease, lease, seen.sets, nowMs),
    ...(await unlessRefused("webhook", () => checkWebhook(cluster))),
    ...seen.refusals,
    ...(seen.isReadable ? checkPolicies({ ...seen, nowMs, where: whereText(scope) }) : []),
  ];
}

const whereText = ({ namespace }: { readonly namespace?: string }): string =>
  namespace === undefined ? "" : ` in namespace ${namespace} (-A looks in all)`;

function leaseOf(flags: Flags, { environment }: Terminal): { readonly name: string; readonly namespace?: string } {
  const namespace = flags.leaseNamespace ?? environment[leaseNamespace.env];
  const name = flags.leaseName ?? environment[leaseName.env] ?? leaseName.fallback;
  return { name, ...(namespace === undefined || namespace === "" ? {} : { namespace }) };
}

interface Seen {
  readonly policies: readonly ScalingPolicy[];
  readonly isReadable: boolean;
  readonly sets: readonly PodCliqueSet[];
  readonly around: (policy: ScalingPolicy) => PolicySurroundings;
  readonly refusals: readonly Check[];
}

/** Kinds that the cluster does not have are empty: that they are missing is said by the check of the CRDs. */
async function readPolicies({ api }: Cluster, scope: { readonly namespace?: string }): Promise<Seen> {
  const refusals: Check[] = [];
  const list = async <T extends KubeObject>(resource: Resource<T>): Promise<readonly T[] | undefined> => {
    try {
      return (await api.list(resource, resource.namespaced ? scope : {})).items;
    } catch (error) {
      if (isNotFound(error)) return [];
      if (!(error instanceof ApiError)) throw error;
      refusals.push(...(await unlessRefused(resource.plural, () => Promise.reject(error))));
      return undefined;
    }
  };
  const [policies, sets = [], budgets = [], horizontalPodAutoscalers = [], scaledObjects = []] = await Promise.all([
    list(SCALING_POLICIES),
    list(POD_CLIQUE_SETS),
    list(GPU_BUDGETS),
    list(HORIZONTAL_POD_AUTOSCALERS),
    list(KEDA_SCALED_OBJECTS),
  ]);
  return {
    policies: policies ?? [],
    isReadable: policies !== undefined,
    sets,
    refusals,
    around({ metadata: { namespace }, spec }) {
      const set = sets.find(
        ({ metadata }) => metadata.namespace === namespace && metadata.name === spec.targetRef.name,
      );
      const budget = budgets.find(({ metadata }) => metadata.name === spec.gpuBudget.sharedBudgetRef?.name);
      return {
        policies: policies ?? [],
        horizontalPodAutoscalers,
        scaledObjects,
        ...(set === undefined ? {} : { set }),
        ...(budget === undefined ? {} : { budget }),
      };
    },
  };
}

function autoscalerCheck(lease: LeaseState, policies: readonly ScalingPolicy[], nowMs: number): Check {
  const check = "autoscaler";
  const isDeciding = policies.some((policy) => isDecidedLately(policy, nowMs));
  switch (lease.kind) {
    case "held":
      return ok(check, lease.text);
    case "lapsed":
      return failed(check, lease.text, `kubectl -n ${lease.namespace} get pods: one has to run and be ready`);
    case "unreadable":
      return warning(check, lease.text, "run doctor as a user who may get Leases");
    case "missing":
      return isDeciding
        ? warning(
            check,
            `${lease.text}, but policies are decided about`,
            "is it run with --no-leader-elect, or another --lease-name? Name it here too",
          )
        : failed(check, lease.text, "kubectl apply --server-side -k deploy, or name its Lease with --lease-name");
  }
}

/** A change that nobody looked at for so long is looked at by nobody. */
const RECONCILED_WITHIN_MS = 60_000;

/** The last write that was not one of a status. */
function changedMs({ creationTimestamp, managedFields = [] }: ObjectMeta): number {
  const times = managedFields.filter(({ subresource }) => subresource !== "status").map(({ time }) => time);
  return Math.max(...[creationTimestamp, ...times].map((time) => (time === undefined ? 0 : parseTime(time))));
}

function operatorCheck(own: LeaseState, autoscaler: LeaseState, sets: readonly PodCliqueSet[], nowMs: number): Check {
  const check = "operator";
  const wayOut = "deploy/operator brings one; run has one built in unless --operator external is given";
  if (own.kind === "held") return ok(check, own.text);
  const behind = sets.filter(
    ({ metadata, status }) =>
      status?.observedGeneration !== metadata.generation && nowMs - changedMs(metadata) > RECONCILED_WITHIN_MS,
  );
  if (behind.length > 0) {
    const names = someNames(
      behind.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
      "",
    );
    return failed(check, `nobody has taken up the latest spec of PodCliqueSet ${names}`, wayOut);
  }
  if (own.kind === "lapsed" && sets.length === 0) return warning(check, own.text, wayOut);
  if (autoscaler.kind === "held" || sets.length > 0) {
    const seen = sets.length === 0 ? "no PodCliqueSet to tell by" : "every PodCliqueSet is taken up";
    return ok(check, `no operator of its own leads, so the one built into the autoscaler: ${seen}`);
  }
  return warning(check, "none leads, and there is no PodCliqueSet to tell by", wayOut);
}

const WEBHOOK = "grove-autoscaler";

/** It is optional: what it would refuse is said by conditions all the same. */
async function checkWebhook({ api }: Cluster): Promise<readonly Check[]> {
  try {
    const { webhooks = [] } = await api.get(VALIDATING_WEBHOOK_CONFIGURATIONS, { name: WEBHOOK });
    const isTrusted = webhooks.every(({ clientConfig }) => (clientConfig.caBundle ?? "") !== "");
    if (isTrusted) return [ok("webhook", "installed, with the authority of a service in it")];
    return [
      warning(
        "webhook",
        "installed, but no service has put its authority in, so nothing is checked on admission",
        "GROVE_AUTOSCALER_WEBHOOKS=true on the service",
      ),
    ];
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return [ok("webhook", "not installed; it is optional (kubectl apply --server-side -k deploy/webhooks)")];
  }
}

async function checkPrometheus(source: MetricsSource | undefined): Promise<readonly Check[]> {
  const check = "Prometheus";
  if (source === undefined) return [skipped(check, "not asked: no --prometheus URL")];
  try {
    const [all] = await source.query("count(up)");
    const [up] = await source.query("sum(up)");
    if (all === undefined)
      return [warning(check, "answers, and scrapes nothing: it has no up series", "see its targets page")];
    const text = `answers; ${up?.value ?? 0} of ${all.value} targets are up`;
    if (up?.value === all.value) return [ok(check, text)];
    return [warning(check, text, "its targets page says why; up == 0 shows which")];
  } catch (error) {
    if (!(error instanceof MetricsError)) throw error;
    return [failed(check, error.message, "is it the right --prometheus URL, and are you allowed to ask it?")];
  }
}

const COLOUR: Readonly<Record<Check["status"], keyof Paint>> = {
  ok: "good",
  warning: "warn",
  failed: "bad",
  skipped: "dim",
};

function print(checks: readonly Check[], { output }: Flags, terminal: Terminal): void {
  const failures = checks.filter(({ status }) => status === "failed").length;
  const warnings = checks.filter(({ status }) => status === "warning").length;
  if (isForPrograms(output)) {
    printValue(terminal, output, { ok: failures === 0, checks });
    return;
  }
  const width = widthOf(terminal);
  const paint = paintFor(terminal);
  for (const { check, status, message, wayOut } of checks) {
    const colour = paint[COLOUR[status]];
    // The first word alone is coloured: colours have no width.
    const head = `${status.padEnd(7)}  `;
    const lines = hang(head, `${check}: ${message}`, width);
    terminal.print(`${colour(status)}${lines.slice(status.length)}`);
    if (wayOut !== undefined) terminal.print(hang(`${" ".repeat(head.length)}→ `, wayOut, width));
  }
  terminal.print("");
  terminal.print(
    failures === 0
      ? `nothing failed${warnings === 0 ? "" : `, ${counted(warnings, "warning")}`}`
      : `${counted(failures, "check")} failed, ${counted(warnings, "warning")}`,
  );
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
