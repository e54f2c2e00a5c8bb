/** Whether the cluster knows our kinds, and knows them as this version does. */
import { AUTOSCALING_GROUP } from "../../api/autoscaling/shared.ts";
import { customResourceDefinitions, RESOURCE_DEFINITIONS } from "../../api/crds/all.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceDefinition } from "../../api/kubernetes/core.ts";
import { ApiError, isNotFound } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { describeRefusal } from "../cluster.ts";
import { someNames } from "../find.ts";
import { type Check, failed, ok, warning } from "./check.ts";

const INSTALL = "grove-autoscaler crds | kubectl apply --server-side -f -";

export async function checkCrds(api: KubeApi): Promise<readonly Check[]> {
  const groups = Map.groupBy(customResourceDefinitions(), ({ spec }) => spec.group);
  const checks = [...groups].map(async ([group, definitions]): Promise<Check> => {
    const check = `CRDs ${group}`;
    try {
      const pairs = definitions.map(async (ours) => ({ ours, theirs: await installed(api, ours.metadata.name) }));
      return checkGroup(check, group, await Promise.all(pairs));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 403) throw error;
      return checkServed(api, check, group, describeRefusal(error));
    }
  });
  return Promise.all(checks);
}

async function installed(api: KubeApi, name: string): Promise<CustomResourceDefinition | undefined> {
  try {
    return await api.get(CUSTOM_RESOURCE_DEFINITIONS, { name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** For those who may not read definitions, as the service itself: whether there are any. */
async function checkServed(api: KubeApi, check: string, group: string, refusal: string): Promise<Check> {
  const kinds = RESOURCE_DEFINITIONS.map(({ resource }) => resource).filter((one) => one.group === group);
  const answers = await Promise.all(
    kinds.map((resource) =>
      api.list(resource, { limit: 1 }).then(
        () => true,
        (error: unknown) => {
          if (!(error instanceof ApiError)) throw error;
          // Who may not list them either knows nothing.
          return !isNotFound(error);
        },
      ),
    ),
  );
  const missing = kinds.filter((_, at) => !answers[at]);
  if (missing.length > 0)
    return failed(check, `not installed: ${missing.map((one) => `${one.plural}.${one.group}`).join(", ")}`, INSTALL);
  return warning(
    check,
    `nothing says that they are missing, but of which version they are cannot be seen: ${refusal}`,
    "run doctor as a user who may get customresourcedefinitions",
  );
}

interface Pair {
  readonly ours: CustomResourceDefinition;
  readonly theirs: CustomResourceDefinition | undefined;
}

function checkGroup(check: string, group: string, pairs: readonly Pair[]): Check {
  const missing = pairs.filter(({ theirs }) => theirs === undefined);
  if (missing.length > 0) {
    const names = missing.map(({ ours }) => ours.metadata.name).join(", ");
    return failed(check, `not installed: ${names}`, INSTALL);
  }
  const problems = pairs.flatMap((pair) => compare(pair));
  if (problems.length === 0)
    return ok(check, `${pairs.map(({ ours }) => ours.spec.names.kind).join(", ")}: as this version has them`);
  // Grove's own may come from upstream's operator; what differs there is not for us to replace.
  const isOurs = group === AUTOSCALING_GROUP;
  const wayOut = isOurs
    ? INSTALL
    : `${INSTALL}; where upstream's operator brings them, a release of it that knows these fields`;
  const isBroken = problems.some(({ isFatal }) => isFatal);
  const message = problems.map(({ text }) => text).join("; ");
  return isBroken && isOurs ? failed(check, message, wayOut) : warning(check, message, wayOut);
}

interface Difference {
  readonly text: string;
  readonly isFatal: boolean;
}

function compare({ ours, theirs }: Pair): readonly Difference[] {
  const { name } = ours.metadata;
  const [version] = ours.spec.versions;
  const served = theirs?.spec.versions.find((one) => one.name === version?.name && one.served);
  if (version === undefined || served === undefined)
    return [{ text: `${name} does not serve ${version?.name}`, isFatal: true }];
  const wanted = fieldsOf(version.schema?.openAPIV3Schema);
  const known = fieldsOf(served.schema?.openAPIV3Schema);
  const lacking = [...wanted].filter((field) => !known.has(field));
  // Of a whole part that is not known the part is enough.
  const tops = lacking.filter((field) => !lacking.some((other) => field.startsWith(`${other}.`)));
  if (tops.length > 0) return [{ text: `${name} is older: it would drop ${someNames(tops, "spec")}`, isFatal: true }];
  const more = [...known].filter((field) => !wanted.has(field));
  if (more.length > 0)
    return [{ text: `${name} is newer than this program: it knows ${someNames(more, "spec")}`, isFatal: false }];
  if (rulesOf(version.schema?.openAPIV3Schema) !== rulesOf(served.schema?.openAPIV3Schema))
    return [{ text: `${name} checks objects by other rules than this version`, isFatal: false }];
  return [];
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string }[];
}

/** `spec.scaleTargets.metrics.type`, of every field. */
function fieldsOf(schema: unknown): ReadonlySet<string> {
  const fields = new Set<string>();
  walk(schema as Schema | undefined, "", (path) => void fields.add(path));
  fields.delete("");
  return fields;
}

/** CEL rules with the places where they stand. */
function rulesOf(schema: unknown): string {
  const rules: string[] = [];
  walk(schema as Schema | undefined, "", (path, { "x-kubernetes-validations": own = [] }) => {
    for (const { rule } of own) rules.push(`${path}: ${rule}`);
  });
  return rules.toSorted().join("\n");
}

function walk(schema: Schema | undefined, path: string, visit: (path: string, schema: Schema) => void): void {
  if (schema === undefined) return;
  visit(path, schema);
  for (const [name, inner] of Object.entries(schema.properties ?? {}))
    walk(inner, path === "" ? name : `${path}.${name}`, visit);
  // Inside of lists and maps the path goes on as if there were one.
  walk(schema.items, path, visit);
  if (typeof schema.additionalProperties === "object") walk(schema.additionalProperties, path, visit);
}
