/**
 * Issues X.509 certificates (RFC 5280): a self-signed authority and server certificates under it, with keys on P-256.
 *
 * Node can read and verify certificates but not make them; `der.ts` has the encoding.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { isIP } from "node:net";
import { formatTime } from "../../api/kubernetes/time.ts";
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from "./der.ts";

/** PEM, both of them. */
export interface CertifiedKey {
  readonly certificate: string;
  readonly privateKey: string;
}

interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const COMMON_NAME = "2.5.4.3";
const ORGANIZATION = "2.5.4.10";
const SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
const KEY_USAGE = "2.5.29.15";
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";
const AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1";
const ECDSA_WITH_SHA256 = sequence(objectIdentifier("1.2.840.10045.4.3.2"));

const AUTHORITY_NAME = { organization: "Grove", commonName: "Grove-CA" } as const;

/** May sign server certificates and nothing below them. */
export function issueAuthority(validity: Validity): CertifiedKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = nameOf(AUTHORITY_NAME);
  const certificate = issue({
    validity,
    subject: name,
    issuer: name,
    publicKey,
    signer: privateKey,
    extensions: [
      extension(BASIC_CONSTRAINTS, sequence(boolean(true), integer(Buffer.from([0]))), true),
      // keyCertSign and cRLSign: bits 5 and 6.
      extension(KEY_USAGE, bitString(Buffer.from([0b0000_0110]), 1), true),
      extension(SUBJECT_KEY_IDENTIFIER, octetString(keyIdentifier(publicKey))),
    ],
  });
  return { certificate, privateKey: toPem(privateKey) };
}

/** For TLS servers under these DNS names and IP addresses; the first one is its common name too. */
export function issueServerCertificate(
  authority: CertifiedKey,
  names: readonly string[],
  validity: Validity,
): CertifiedKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = createPrivateKey(authority.privateKey);
  const certificate = issue({
    validity,
    // Common names have 64 characters; long ones are in the alternative names like all others.
    subject: nameOf({ organization: AUTHORITY_NAME.organization, commonName: (names[0] ?? "").slice(0, 64) }),
    issuer: nameOf(AUTHORITY_NAME),
    publicKey,
    signer,
    extensions: [
      extension(BASIC_CONSTRAINTS, sequence(), true),
      // digitalSignature: bit 0.
      extension(KEY_USAGE, bitString(Buffer.from([0b1000_0000]), 7), true),
      extension(EXTENDED_KEY_USAGE, sequence(objectIdentifier(SERVER_AUTHENTICATION))),
      extension(SUBJECT_ALTERNATIVE_NAME, sequence(...names.map(alternativeName))),
      // Two authorities with one name are in a bundle while one takes over from the other.
      extension(AUTHORITY_KEY_IDENTIFIER, sequence(implicit(0, keyIdentifier(createPublicKey(signer))))),
    ],
  });
  return { certificate, privateKey: toPem(privateKey) };
}

interface Issue {
  readonly validity: Validity;
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
}

function issue({ validity, subject, issuer, publicKey, signer, extensions }: Issue): string {
  const spki = publicKey.export({ type: "spki", format: "der" });
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serialOf(spki, validity)),
    ECDSA_WITH_SHA256,
    issuer,
    sequence(time(formatTime(validity.notBeforeMs)), time(formatTime(validity.notAfterMs))),
    subject,
    spki,
    explicit(3, sequence(...extensions)),
  );
  const signature = sign("sha256", toBeSigned, { key: signer, dsaEncoding: "der" });
  const der = sequence(toBeSigned, ECDSA_WITH_SHA256, bitString(signature));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** Every certificate has a key of its own, so its hash is a serial number that no other has. 127 bits: positive and at most 20 bytes. */
function serialOf(spki: Buffer, { notBeforeMs }: Validity): Buffer {
  const serial = createHash("sha256").update(spki).update(String(notBeforeMs)).digest().subarray(0, 16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

/** RFC 5280 4.2.1.2 (1): SHA-1 over the bits of the key, here the last 65 bytes of its SPKI: an uncompressed point on P-256. */
const keyIdentifier = (publicKey: KeyObject): Buffer =>
  createHash("sha1")
    .update(publicKey.export({ type: "spki", format: "der" }).subarray(-65))
    .digest();

function nameOf({ organization, commonName }: { readonly organization: string; readonly commonName: string }): Buffer {
  const attribute = (type: string, value: string): Buffer => set(sequence(objectIdentifier(type), utf8String(value)));
  return sequence(attribute(ORGANIZATION, organization), attribute(COMMON_NAME, commonName));
}

const extension = (id: string, value: Buffer, isCritical = false): Buffer =>
  sequence(objectIdentifier(id), ...(isCritical ? [boolean(true)] : []), octetString(value));

function alternativeName(name: string): Buffer {
  return isIP(name) === 0 ? implicit(2, Buffer.from(name, "ascii")) : implicit(7, addressBytes(name));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [plain = ""] = address.split("%", 1);
  const [head = "", tail] = plain.split("::", 2);
  const groups = (text: string | undefined): readonly number[] =>
    text === undefined || text === ""
      ? []
      : text.split(":").flatMap((group) => {
          if (group.includes(".")) return group.split(".").map(Number);
          const value = Number.parseInt(group, 16);
          return [value >> 8, value & 0xff];
        });
  const [before, after] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 16 - before.length - after.length }, () => 0);
  return Buffer.from([...before, ...zeros, ...after]);
}

const toPem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
