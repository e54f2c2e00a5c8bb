import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type CertificateBundle, planCertificates } from "./plan.ts";

const DAY_MS = 86_400_000;
const NOW_MS = 1_800_000_000_000;
const NAMES = ["grove-operator.grove-system.svc", "127.0.0.1"];
const plan = (present: Partial<CertificateBundle>, afterDays = 0, names: readonly string[] = NAMES) =>
  planCertificates(present, names, NOW_MS + afterDays * DAY_MS);
const first = plan({});
const authorities = ({ ca }: CertificateBundle): readonly string[] => ca.match(/BEGIN CERTIFICATE/g) ?? [];
const isChain = ({ ca, certificate }: CertificateBundle): boolean =>
  new X509Certificate(certificate).verify(new X509Certificate(ca).publicKey);

test("from nothing: an authority and a server certificate under it", () => {
  expect(first.renewed).toBe("there is no authority of our own yet");
  expect(isChain(first.bundle)).toBe(true);
  expect(first.dueAtMs).toBe(NOW_MS + (365 - 90) * DAY_MS);
});

test("what is good stays, to the letter", () => {
  expect(plan(first.bundle)).toEqual({ bundle: first.bundle, dueAtMs: first.dueAtMs });
  expect(plan(first.bundle, 274).renewed).toBeUndefined();
});

test("90 days before its end the server certificate is renewed, under the same authority", () => {
  const { renewed, bundle } = plan(first.bundle, 276);
  expect(renewed).toBe("the server certificate ends soon");
  expect(bundle.ca).toBe(first.bundle.ca);
  expect(isChain(bundle)).toBe(true);
  expect(plan(bundle, 276).renewed).toBeUndefined();
});

test("a new authority comes with the old one behind it, until that has ended", () => {
  const { renewed, bundle } = plan(first.bundle, 3600);
  expect(renewed).toBe("the authority ends soon");
  expect(authorities(bundle)).toHaveLength(2);
  expect(bundle.ca.endsWith(first.bundle.ca)).toBe(true);
  expect(isChain(bundle)).toBe(true);
  expect(plan(bundle, 3600).renewed).toBeUndefined();
  expect(authorities(plan(first.bundle, 3660).bundle)).toHaveLength(1);
});

test("a name more is a certificate more, with the names that were", () => {
  const { renewed, bundle } = plan(first.bundle, 1, ["grove-operator.grove-system.svc", "10.0.0.7"]);
  expect(renewed).toBe("the server certificate does not cover 10.0.0.7");
  const leaf = new X509Certificate(bundle.certificate);
  expect(leaf.checkIP("10.0.0.7")).toBe("10.0.0.7");
  // The replica with the former names is content with it.
  expect(plan(bundle, 1).renewed).toBeUndefined();
});

describe("what somebody else put there", () => {
  const foreign = plan({}).bundle;
  test.each([
    ["no key of the authority, as cert-manager leaves it", { caKey: "" }, /no authority of our own/],
    ["the key of another authority", { caKey: foreign.caKey }, /do not match/],
    ["an authority that is none", { ca: first.bundle.certificate }, /do not match/],
    ["not PEM", { ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" }, /cannot be read/],
    ["a server certificate of another authority", { certificate: foreign.certificate }, /of another authority/],
    ["the key of another server", { privateKey: foreign.privateKey }, /its key do not match/],
    ["half a server certificate", { certificate: "x" }, /cannot be read/],
    ["no server certificate", { certificate: "" }, /no server certificate yet/],
  ])("%s: made new", (_, change, why) => {
    const { renewed, bundle } = plan({ ...first.bundle, ...change });
    expect(renewed).toMatch(why);
    expect(isChain(bundle)).toBe(true);
    expect(plan(bundle).renewed).toBeUndefined();
  });
});
