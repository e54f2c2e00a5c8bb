/** GET and LIST: selectors, versions, pages. */
import type { ObjectKey } from "../../api/kubernetes/meta.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import { ApiError, isGone } from "../../kube/api-error.ts";
import { asVersion, type Core } from "./core.ts";
import { badRequest, expired, notFound } from "./failure.ts";
import type { StoredObject } from "./json.ts";
import type { Kind } from "./kind.ts";
import { bothMatch, fieldMatcher, labelMatcher, type Matcher } from "./selectors.ts";

export interface ListQuery {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
}

export interface ListPage {
  readonly items: readonly StoredObject[];
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export function getObject({ store }: Core, kind: Kind, key: ObjectKey): StoredObject {
  const found = store.get(kind.collection, key);
  if (found === undefined) throw notFound(kind.resource, key.name);
  return asVersion(kind, found);
}

export function matcherOf(kind: Kind, { labelSelector, fieldSelector }: ListQuery): Matcher | undefined {
  return bothMatch(labelMatcher(labelSelector), fieldMatcher(fieldSelector, kind.selectableFields));
}

/**
 * One page of a list. Later pages show the state the first page was read at.
 * @throws ApiError 410 when that state is forgotten, 504 for a version the server has not reached
 */
export function listObjects({ store }: Core, kind: Kind, query: ListQuery): ListPage {
  const matches = matcherOf(kind, query);
  const resume = query.continue ? readToken(query.continue) : undefined;
  const version = resume?.version ?? exactVersion(store.version, query);
  let objects: readonly StoredObject[];
  try {
    objects = store.listAt(kind.collection, version, query.namespace, matches);
  } catch (error) {
    if (resume === undefined || !isGone(error)) throw error;
    throw expired(
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
    );
  }
  const start = resume === undefined ? 0 : objects.findIndex((object) => keyOf(object) > resume.after);
  const rest = start < 0 ? [] : start === 0 ? objects : objects.slice(start);
  const limit = query.limit ?? 0;
  const page = limit > 0 && rest.length > limit ? rest.slice(0, limit) : rest;
  const last = page.at(-1);
  const items = page.map((object) => asVersion(kind, object));
  if (page.length === rest.length || last === undefined) return { items, resourceVersion: String(version) };
  return {
    items,
    resourceVersion: String(version),
    continue: writeToken({ version, after: keyOf(last) }),
    ...(matches === undefined && { remainingItemCount: rest.length - page.length }),
  };
}

export function parseVersion(text: string): number {
  if (!/^\d+$/.test(text)) throw badRequest(`invalid resource version "${text}"`);
  return Number(text);
}

function exactVersion(current: number, { resourceVersion, resourceVersionMatch }: ListQuery): number {
  if (resourceVersion === undefined || resourceVersion === "") return current;
  const version = parseVersion(resourceVersion);
  if (version > current) {
    throw new ApiError(504, "Timeout", `Too large resource version: ${version}, current: ${current}`, {
      retryAfterSeconds: 1,
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    });
  }
  return resourceVersionMatch === "Exact" ? version : current;
}

interface Token {
  readonly version: number;
  /** Key of the last object of the page before. */
  readonly after: string;
}

const writeToken = (token: Token): string => Buffer.from(JSON.stringify(token)).toString("base64url");

function readToken(text: string): Token {
  try {
    const token = JSON.parse(Buffer.from(text, "base64url").toString()) as Partial<Token>;
    if (typeof token.version === "number" && typeof token.after === "string")
      return { version: token.version, after: token.after };
  } catch {
    // Falls through: anything that is not one of our tokens is refused below.
  }
  throw badRequest("continue key is not valid: illegal base64 data or encoding");
}
