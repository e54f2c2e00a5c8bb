/** The serving system of a simulation, from the files on the command line. */
import { parseWholeProfile } from "../../api/autoscaling/whole-profile.ts";
import type { ConfigMap } from "../../api/kubernetes/core.ts";
import { type ProfileText, type ServingSystem, SystemError, servingSystem } from "../../trial/system.ts";
import { UsageError } from "../errors.ts";
import { readTextFile } from "../files.ts";
import { checkFiles, errorLines } from "../policy-files.ts";

export interface SystemFiles {
  readonly policy: readonly string[];
  readonly profile?: string;
  readonly startUpSpreadP90: number;
}

/** @throws UsageError naming the file, the field and the way out */
export function readSystem({ policy: files, profile, startUpSpreadP90 }: SystemFiles): ServingSystem {
  const { policies, sets, all, ignored } = checkFiles("--policy", files);
  const [error] = all.flatMap(errorLines);
  if (error !== undefined) throw new UsageError(error);
  const [policy, ...others] = policies;
  const where = files.join(", ");
  if (policy === undefined) throw new UsageError(`--policy: ${where} holds no ScalingPolicy`);
  if (others.length > 0) {
    const names = policies.map(({ object }) => object.metadata.name).join(" and ");
    throw new UsageError(
      `--policy: ${where} holds the ScalingPolicies ${names}: one is simulated at a time, leave the others out`,
    );
  }
  const { name } = policy.object.spec.targetRef;
  const set = sets.find(({ object }) => object.metadata.name === name);
  if (set === undefined && sets.length > 0) {
    throw new UsageError(
      `${policy.file}: spec.targetRef.name is ${name}, and the files hold the PodCliqueSet ${sets.map(({ object }) => object.metadata.name).join(", ")}`,
    );
  }
  const given = profile === undefined ? undefined : readProfile(profile);
  try {
    return servingSystem({
      policy: policy.object,
      ...(set === undefined ? {} : { set: set.object }),
      configMaps: ignored.filter((object): object is ConfigMap => object.kind === "ConfigMap"),
      ...(given === undefined ? {} : { profile: given }),
      startUpSpreadP90,
    });
  } catch (cause) {
    if (cause instanceof SystemError) throw new UsageError(cause.message);
    throw cause;
  }
}

function readProfile(file: string): ProfileText {
  const text = readTextFile("--profile", file);
  const parsed = parseWholeProfile(text);
  if (parsed.ok) return { text, profile: parsed.profile };
  const { field, message } = parsed.problem;
  throw new UsageError(`--profile: ${file}: ${field} ${message}`);
}
