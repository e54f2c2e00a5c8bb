/** What the operator learns from its environment: the manifests put it there (grove.md 8.4). */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { PodGangScheme } from "../../grove/settings.ts";
import { ExitError } from "../errors.ts";
import { EXIT } from "./exit-codes.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const SERVICE_NAME = "grove-operator";

/**
 * Complete reference of the init container's image, or undefined: sets with a start-up order then say so in their status. A value without tag and digest gets
 * the tag of GROVE_INIT_CONTAINER_TAG, or our version, as both images are released together.
 */
export function initContainerImage(environment: Environment, version: string): string | undefined {
  const image = environment["GROVE_INIT_CONTAINER_IMAGE"]?.trim() ?? "";
  if (image === "") return undefined;
  // The last part, because a registry may have a port.
  const name = image.slice(image.lastIndexOf("/") + 1);
  if (name.includes(":") || name.includes("@")) return image;
  return `${image}:${environment["GROVE_INIT_CONTAINER_TAG"]?.trim() || version}`;
}

/** How PodGangs of new sets are named: upstream's file has no field for it. */
export function podGangNames(environment: Environment): PodGangScheme {
  const given = environment["GROVE_PODGANG_NAMES"]?.trim() || "legacy";
  if (given === "legacy" || given === "epoch") return given;
  throw new ExitError(
    EXIT.configuration,
    `GROVE_PODGANG_NAMES is ${JSON.stringify(given)}; use legacy (names as up to v0.1.0-alpha.12-rc1) or epoch (as later)`,
  );
}

/** Where the operator itself is: of POD_NAMESPACE, the mounted account, else the kubeconfig's. */
export function operatorNamespace(environment: Environment, ofKubeconfig: string, file = NAMESPACE_FILE): string {
  const given = environment["POD_NAMESPACE"]?.trim() ?? "";
  if (given !== "") return given;
  try {
    return readFileSync(file, "utf8").trim() || ofKubeconfig;
  } catch {
    // Not in a pod.
    return ofKubeconfig;
  }
}

/** The operator's user name for the authorizer, or undefined when nobody says which account it has. */
export function operatorUser(environment: Environment, namespace: string): string | undefined {
  const account = environment["GROVE_OPERATOR_SERVICE_ACCOUNT_NAME"]?.trim() ?? "";
  return account === "" ? undefined : `system:serviceaccount:${namespace}:${account}`;
}

/**
 * What a certificate of our own is made for: the Service, this machine, and the address that is listened on. Outside a pod also the machine's addresses, under
 * which an API server elsewhere may call; a pod's change with every restart, and it is called through its Service.
 */
export function certificateNames(
  namespace: string,
  bindAddress: string,
  isInPod: boolean,
  serviceName = SERVICE_NAME,
): readonly string[] {
  const service = `${serviceName}.${namespace}.svc`;
  const isWildcard = ["", "0.0.0.0", "::"].includes(bindAddress);
  const machine = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map(({ address }) => address);
  return [
    ...new Set([
      service,
      `${service}.cluster.local`,
      `${serviceName}.${namespace}`,
      serviceName,
      "localhost",
      "127.0.0.1",
      "::1",
      ...(isWildcard ? (isInPod ? [] : machine) : [bindAddress]),
    ]),
  ];
}
