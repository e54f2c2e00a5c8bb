/** Reads an OperatorConfiguration: YAML or JSON in, a complete and checked configuration or all its mistakes out. */
import { parseDocument } from "yaml";
import { parseDurationMs } from "../../api/duration.ts";
import { applyDefaults } from "../../api/schema/defaults.ts";
import { type FieldError, validateSchema } from "../../api/schema/validate.ts";
import { OPERATOR_CONFIGURATION, type OperatorConfiguration } from "./schema.ts";

/** One line; every mistake with its path and the way out. */
export class ConfigurationError extends Error {
  readonly errors: readonly FieldError[];

  constructor(errors: readonly FieldError[]) {
    super(errors.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; "));
    this.name = "ConfigurationError";
    this.errors = errors;
  }
}

/** @throws ConfigurationError */
export function readOperatorConfiguration(text: string): OperatorConfiguration {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new ConfigurationError([
      { field: "", message: `is not YAML: ${problem.message.split("\n")[0] ?? ""}`.trim() },
    ]);
  }
  const given: unknown = withoutNulls(document.toJS());
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigurationError([
      { field: "", message: "must be an OperatorConfiguration, a map that begins with apiVersion and kind" },
    ]);
  }
  const { json } = OPERATOR_CONFIGURATION;
  const complete = applyDefaults(json, given) as OperatorConfiguration;
  const shape = validateSchema(json, complete, "", { rejectUnknown: true });
  if (shape.length > 0) throw new ConfigurationError(shape);
  const configuration = withDerivedDefaults(complete);
  const errors = checkTogether(configuration);
  if (errors.length > 0) throw new ConfigurationError(errors);
  return configuration;
}

/** An empty section in YAML is null; it says as little as one that is not there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, entry]) => (entry === null ? [] : [[key, withoutNulls(entry)]])),
  );
}

/** The profile of kube-scheduler is always there, and the one that is used where nothing else is said. */
function withDerivedDefaults(configuration: OperatorConfiguration): OperatorConfiguration {
  const { profiles, defaultProfileName } = configuration.scheduler;
  const hasKube = profiles.some(({ name }) => name === "default-scheduler");
  return {
    ...configuration,
    scheduler: {
      profiles: hasKube ? profiles : [...profiles, { name: "default-scheduler" }],
      defaultProfileName: defaultProfileName === "" ? "default-scheduler" : defaultProfileName,
    },
  };
}

function checkTogether(configuration: OperatorConfiguration): readonly FieldError[] {
  const { runtimeClientConnection, controllers } = configuration;
  const errors: FieldError[] = [...leaderElectionErrors(configuration), ...schedulerErrors(configuration)];
  const report = (field: string, message: string): void => void errors.push({ field, message });
  if (runtimeClientConnection.qps === 0) {
    report("runtimeClientConnection.qps", "must be above 0, or negative for no limit of our own");
  }
  if (runtimeClientConnection.burst < 0) {
    report("runtimeClientConnection.burst", `must not be negative, is ${runtimeClientConnection.burst}`);
  }
  for (const [name, { concurrentSyncs }] of Object.entries(controllers)) {
    if (concurrentSyncs <= 0) {
      report(`controllers.${name}.concurrentSyncs`, `must be greater than 0, not ${concurrentSyncs}`);
    }
  }
  const { webhooks } = configuration.server;
  if (webhooks.certProvisionMode === "auto" && webhooks.secretName === "") {
    report("server.webhooks.secretName", "must not be empty where certProvisionMode is auto; name a Secret");
  }
  if (webhooks.certProvisionMode === "manual" && webhooks.serverCertDir === "") {
    report("server.webhooks.serverCertDir", "must not be empty where certProvisionMode is manual; name a folder");
  }
  return errors;
}

function leaderElectionErrors({ leaderElection }: OperatorConfiguration): readonly FieldError[] {
  if (!leaderElection.enabled) return [];
  const errors: FieldError[] = [];
  const ms = (field: "leaseDuration" | "renewDeadline" | "retryPeriod"): number => {
    const value = parseDurationMs(leaderElection[field]) ?? 0;
    if (value <= 0) errors.push({ field: `leaderElection.${field}`, message: "must be greater than 0, such as 15s" });
    return value;
  };
  const [leaseMs, renewMs, retryMs] = [ms("leaseDuration"), ms("renewDeadline"), ms("retryPeriod")];
  if (errors.length === 0 && leaseMs <= renewMs) {
    errors.push({
      field: "leaderElection.leaseDuration",
      message: `must be greater than renewDeadline (${leaderElection.renewDeadline}), or two operators could lead at once`,
    });
  }
  if (errors.length === 0 && renewMs <= retryMs) {
    errors.push({
      field: "leaderElection.renewDeadline",
      message: `must be greater than retryPeriod (${leaderElection.retryPeriod}), or one lost request loses the lease`,
    });
  }
  if (leaderElection.resourceLock !== "leases") {
    errors.push({ field: "leaderElection.resourceLock", message: 'must be "leases"; other locks no longer exist' });
  }
  if (leaderElection.resourceName === "") {
    errors.push({ field: "leaderElection.resourceName", message: "must not be empty; name the Lease" });
  }
  return errors;
}

function schedulerErrors({
  scheduler: { profiles, defaultProfileName },
}: OperatorConfiguration): readonly FieldError[] {
  const names = profiles.map(({ name }) => name);
  const repeated = names.flatMap((name, index): readonly FieldError[] =>
    names.indexOf(name) === index
      ? []
      : [
          {
            field: `scheduler.profiles[${index}].name`,
            message: `Duplicate value: ${JSON.stringify(name)}; keep one of the two`,
          },
        ],
  );
  if (names.some((name) => name === defaultProfileName)) return repeated;
  return [
    ...repeated,
    {
      field: "scheduler.defaultProfileName",
      message: `${JSON.stringify(defaultProfileName)} is not a configured profile; add it to scheduler.profiles or choose one of ${names.join(", ")}`,
    },
  ];
}
