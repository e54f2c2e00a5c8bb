/**
 * Bodies in Kubernetes' protobuf form, which kubectl and client-go choose for built-in kinds whatever the server reads.
 *
 * Wire form: the bytes `k8s\0`, then runtime.Unknown with the type in field 1 and the object in field 2.
 */
import definitions from "../../../api/kubernetes/protobuf.json" with { type: "json" };
import { formatMicroTime, formatTime } from "../../../api/kubernetes/time.ts";
import { isObject, type JsonObject } from "../json.ts";

/** Field number to name and type: a scalar, a message, `list:TYPE` or `map:TYPE` (keys are strings). */
type Message = Readonly<Record<string, readonly [name: string, type: string]>>;

const MESSAGES = definitions.messages as unknown as Readonly<Record<string, Message>>;
const KINDS = definitions.kinds as unknown as Readonly<Record<string, string>>;
const MAGIC = Buffer.from("k8s\0", "latin1");
const META = "k8s.io.apimachinery.pkg.apis.meta.v1";
const ENVELOPE: Message = { 1: ["type", "envelope.type"], 2: ["raw", "bytes"] };
const ENVELOPE_TYPE: Message = { 1: ["apiVersion", "string"], 2: ["kind", "string"] };

/** @returns undefined when the body is of a kind that is only read as JSON */
export function decodeProtobuf(body: Buffer): JsonObject | undefined {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const { type, raw } = readMessage(body.subarray(MAGIC.length), ENVELOPE);
  if (!isObject(type) || typeof raw !== "string") return undefined;
  const { apiVersion, kind } = type;
  const name = kind === "DeleteOptions" ? `${META}.DeleteOptions` : KINDS[`${apiVersion}/${kind}`];
  const message = name === undefined ? undefined : MESSAGES[name];
  if (message === undefined) return undefined;
  return { ...readMessage(Buffer.from(raw, "base64"), message), apiVersion, kind };
}

/** Empty text and empty lists are as good as absent: Go leaves them out of JSON. */
function readMessage(bytes: Buffer, message: Message): JsonObject {
  const result: Record<string, unknown> = {};
  for (const { number, value } of entries(bytes)) {
    const field = message[number];
    if (field === undefined) continue;
    const [name, type] = field;
    if (type.startsWith("list:")) {
      const list = (result[name] as unknown[] | undefined) ?? [];
      result[name] = [...list, readValue(value, type.slice(5))];
    } else if (type.startsWith("map:")) {
      const entry = readMessage(value as Buffer, { 1: ["key", "string"], 2: ["value", type.slice(4)] });
      result[name] = { ...(result[name] as object | undefined), [String(entry["key"] ?? "")]: entry["value"] ?? "" };
    } else {
      const read = readValue(value, type);
      if (read !== undefined && read !== "") result[name] = read;
    }
  }
  return result;
}

function readValue(value: bigint | Buffer, type: string): unknown {
  if (typeof value === "bigint") return type === "bool" ? value !== 0n : Number(BigInt.asIntN(64, value));
  switch (type) {
    case "string":
      return value.toString("utf8");
    case "bytes":
      return value.toString("base64");
    case "double":
      return value.readDoubleLE();
    case "envelope.type":
      return readMessage(value, ENVELOPE_TYPE);
    case `${META}.Time`:
    case `${META}.MicroTime`: {
      const { seconds = 0, nanos = 0 } = readMessage(value, MESSAGES[type]!) as { seconds?: number; nanos?: number };
      if (value.length === 0) return undefined;
      const epochMs = seconds * 1000 + nanos / 1e6;
      return type.endsWith("MicroTime") ? formatMicroTime(epochMs) : formatTime(epochMs);
    }
    case `${META}.FieldsV1`:
    case "k8s.io.apimachinery.pkg.runtime.RawExtension":
      return rawJson(value);
    case "k8s.io.apimachinery.pkg.api.resource.Quantity":
      return readMessage(value, MESSAGES[type]!)["string"] ?? "0";
    case "k8s.io.apimachinery.pkg.util.intstr.IntOrString": {
      const { type: form = 0, intVal = 0, strVal = "" } = readMessage(value, MESSAGES[type]!);
      return form === 0 ? intVal : strVal;
    }
    default:
      return readMessage(value, MESSAGES[type] ?? {});
  }
}

/** JSON text inside field 1. */
function rawJson(bytes: Buffer): unknown {
  const { raw } = readMessage(bytes, { 1: ["raw", "bytes"] });
  return typeof raw === "string" ? (JSON.parse(Buffer.from(raw, "base64").toString("utf8")) as unknown) : undefined;
}

interface Entry {
  readonly number: number;
  /** A number of the wire, or the bytes of everything longer. */
  readonly value: bigint | Buffer;
}

function* entries(bytes: Buffer): Generator<Entry> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; at < bytes.length; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  const take = (length: number): Buffer => {
    const part = bytes.subarray(at, at + length);
    at += length;
    return part;
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    const wire = tag & 7;
    if (wire === 0) yield { number, value: varint() };
    else if (wire === 2) yield { number, value: take(Number(varint())) };
    else yield { number, value: take(wire === 1 ? 8 : 4) };
  }
}
