/**
 * Bodies in Kubernetes' protobuf form, for the few kinds that kubectl sends that way whatever the server says it reads:
 * the access reviews and TokenRequest.
 *
 * Wire form: the bytes `k8s\0`, then runtime.Unknown with the type in field 1 and the object in field 2.
 */
import type { JsonObject } from "../json.ts";

const MAGIC = Buffer.from("k8s\0", "latin1");

/** How the fields of a message are read. A nested table is a message, `[]` a list of texts. */
type Fields = Readonly<Record<number, readonly [name: string, type: "text" | "texts" | "number" | Fields]>>;

const RESOURCE_ATTRIBUTES: Fields = {
  1: ["namespace", "text"],
  2: ["verb", "text"],
  3: ["group", "text"],
  4: ["version", "text"],
  5: ["resource", "text"],
  6: ["subresource", "text"],
  7: ["name", "text"],
};

const SPECS: Readonly<Record<string, Fields>> = {
  SelfSubjectAccessReview: {
    2: [
      "spec",
      {
        1: ["resourceAttributes", RESOURCE_ATTRIBUTES],
        2: ["nonResourceAttributes", { 1: ["path", "text"], 2: ["verb", "text"] }],
      },
    ],
  },
  SelfSubjectReview: {},
  TokenReview: { 2: ["spec", { 1: ["token", "text"], 2: ["audiences", "texts"] }] },
  TokenRequest: { 2: ["spec", { 1: ["audiences", "texts"], 4: ["expirationSeconds", "number"] }] },
};

/** @returns undefined when the body is of a kind that is only read as JSON */
export function decodeProtobuf(body: Buffer): JsonObject | undefined {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const envelope = read(body.subarray(MAGIC.length), {
    1: ["type", { 1: ["apiVersion", "text"], 2: ["kind", "text"] }],
  });
  const { apiVersion, kind } = (envelope["type"] ?? {}) as { readonly apiVersion?: string; readonly kind?: string };
  const fields = SPECS[kind ?? ""];
  if (fields === undefined) return undefined;
  const raw = rawField(body.subarray(MAGIC.length), 2);
  return { apiVersion, kind, ...(raw && read(raw, fields)) };
}

function read(bytes: Buffer, fields: Fields): JsonObject {
  const result: Record<string, unknown> = {};
  for (const { number, value } of entries(bytes)) {
    const field = fields[number];
    if (field === undefined) continue;
    const [name, type] = field;
    if (typeof value === "number") {
      if (type === "number") result[name] = value;
    } else if (type === "text") result[name] = value.toString("utf8");
    else if (type === "texts")
      result[name] = [...((result[name] as string[] | undefined) ?? []), value.toString("utf8")];
    else if (typeof type === "object") result[name] = read(value, type);
  }
  return result;
}

function rawField(bytes: Buffer, wanted: number): Buffer | undefined {
  for (const { number, value } of entries(bytes)) if (number === wanted && typeof value !== "number") return value;
  return undefined;
}

interface Entry {
  readonly number: number;
  readonly value: number | Buffer;
}

function* entries(bytes: Buffer): Generator<Entry> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = tag >>> 3;
    const wire = tag & 7;
    if (wire === 0) yield { number, value: varint() };
    else if (wire === 2) {
      const length = varint();
      yield { number, value: bytes.subarray(at, at + length) };
      at += length;
    } else at += wire === 1 ? 8 : 4;
  }
}
