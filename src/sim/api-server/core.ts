/** What every operation of the server works on, and who asks for it. */

import type { Resource } from "../../api/kubernetes/meta.ts";
import type { Clock } from "../../clock.ts";
import type { ApiError } from "../../kube/api-error.ts";
import type { Random } from "../../random.ts";
import type { StoredObject } from "./json.ts";
import type { Kind, KindRegistry } from "./kind.ts";
import type { Store } from "./store.ts";

export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
}

export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly resource: Resource;
  readonly subresource?: string;
  /** The object as it would be stored; for DELETE the one that goes. */
  readonly object: StoredObject;
  readonly oldObject?: StoredObject;
  readonly userInfo: UserInfo;
}

export interface AdmissionAnswer {
  /** The object to store instead. */
  readonly object?: StoredObject;
  /** Any error refuses the request (422 Invalid, one cause per entry). */
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
  readonly warnings?: readonly string[];
}

/** Admission in the process: what mutating and validating webhooks are on a real cluster. */
export type Admit = (request: AdmissionRequest) => AdmissionAnswer;

/** Asked before each write; an error it returns is thrown instead of the write. For fault injection. */
export type RejectionFault = (write: {
  readonly verb: "create" | "update" | "patch" | "delete";
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string | undefined;
  readonly userInfo: UserInfo;
}) => ApiError | undefined;

export interface Core {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly kinds: KindRegistry;
  /** A cluster IP that no Service has had. */
  nextClusterIp(): string;
  readonly admit?: Admit | undefined;
  readonly rejectionFault?: RejectionFault | undefined;
}

/** One request, as far as it is not about the object. */
export interface Request {
  readonly user: UserInfo;
  /** `fieldManager`, or the first token of the User-Agent. */
  readonly manager: string;
  readonly dryRun?: boolean | undefined;
  readonly fieldValidation?: "Ignore" | "Warn" | "Strict" | undefined;
  /** Collects what goes out as `Warning` headers. */
  readonly warnings?: string[] | undefined;
}

export const SYSTEM_REQUEST: Request = {
  user: { username: "system:kube-controller-manager", groups: ["system:masters"] },
  manager: "kube-controller-manager",
};

const converted = new WeakMap<StoredObject, StoredObject>();

/** The object as this version of its kind shows it. Versions differ only in `apiVersion`. */
export function asVersion(kind: Kind, object: StoredObject): StoredObject {
  if (object.apiVersion === kind.apiVersion) return object;
  const known = converted.get(object);
  if (known?.apiVersion === kind.apiVersion) return known;
  const shown = { ...object, apiVersion: kind.apiVersion };
  converted.set(object, shown);
  return shown;
}

/** A random version 4 UUID. */
export function newUid(random: Random): string {
  const word = (): string =>
    Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, "0");
  const [a, b, c, d] = [word(), word(), word(), word()];
  const variant = ((Number.parseInt(c[0]!, 16) & 3) | 8).toString(16);
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`;
}

/** Without vowels and look-alikes, so that no words appear (k8s.io/apimachinery `rand.String`). */
const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

export function nameSuffix(random: Random): string {
  let suffix = "";
  for (let index = 0; index < 5; index++) suffix += SUFFIX_ALPHABET[Math.floor(random.next() * SUFFIX_ALPHABET.length)];
  return suffix;
}
