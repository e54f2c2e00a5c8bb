import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type PeerCertificate } from "node:tls";
import { describe, expect, test } from "vitest";
import { element, integer, objectIdentifier, time } from "./der.ts";
import { type CertifiedKey, issueAuthority, issueServerCertificate } from "./x509.ts";

/** May be missing; the test that needs it is skipped then. */
const OPENSSL: string = "openssl";
const DAY_MS = 86_400_000;
const NOW_MS = Date.now();
const VALIDITY = { notBeforeMs: NOW_MS - 60_000, notAfterMs: NOW_MS + 365 * DAY_MS };
const NAMES = ["grove-operator.grove-system.svc", "localhost", "127.0.0.1", "::1", "2001:db8::ff00:42:8329"];

describe("DER", () => {
  const hex = (bytes: Buffer): string => bytes.toString("hex");
  test("lengths: one byte to 127, then as many as it takes", () => {
    expect(hex(element(4, Buffer.alloc(127)).subarray(0, 2))).toBe("047f");
    expect(hex(element(4, Buffer.alloc(128)).subarray(0, 3))).toBe("048180");
    expect(hex(element(4, Buffer.alloc(256)).subarray(0, 4))).toBe("04820100");
    expect(hex(element(4, Buffer.alloc(65_536)).subarray(0, 5))).toBe("0483010000");
  });
  test("integers are positive and as short as can be", () => {
    expect(hex(integer(Buffer.from([0])))).toBe("020100");
    expect(hex(integer(Buffer.from([0, 0, 1])))).toBe("020101");
    expect(hex(integer(Buffer.from([0x80])))).toBe("02020080");
  });
  test("object identifiers", () => {
    expect(hex(objectIdentifier("1.2.840.10045.4.3.2"))).toBe("06082a8648ce3d040302");
    expect(hex(objectIdentifier("2.5.29.17"))).toBe("0603551d11");
  });
  test("times change their form with 2050", () => {
    expect(time("2049-12-31T23:59:59Z").toString("latin1")).toBe("\u0017\r491231235959Z");
    expect(time("2050-01-01T00:00:00Z").toString("latin1")).toBe("\u0018\u000f20500101000000Z");
  });
});

test("Node reads what was written, and the chain holds", () => {
  const authority = issueAuthority(VALIDITY);
  const server = issueServerCertificate(authority, NAMES, VALIDITY);
  const [ca, leaf] = [new X509Certificate(authority.certificate), new X509Certificate(server.certificate)];
  expect(ca.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.checkIssued(ca)).toBe(true);
  expect(leaf.verify(ca.publicKey)).toBe(true);
  expect(ca.verify(ca.publicKey)).toBe(true);
  expect(leaf.checkPrivateKey(createPrivateKey(server.privateKey))).toBe(true);
  expect(leaf.checkHost("grove-operator.grove-system.svc")).toBe("grove-operator.grove-system.svc");
  expect(leaf.checkHost("other.svc")).toBeUndefined();
  for (const address of ["127.0.0.1", "::1", "2001:db8::ff00:42:8329"]) expect(leaf.checkIP(address)).toBe(address);
  expect(Math.floor(leaf.validToDate.getTime() / 1000)).toBe(Math.floor(VALIDITY.notAfterMs / 1000));
  expect(leaf.issuer).toBe("O=Grove\nCN=Grove-CA");
  expect(leaf.subject).toBe("O=Grove\nCN=grove-operator.grove-system.svc");
  expect(leaf.serialNumber).not.toBe(ca.serialNumber);
  const other = issueAuthority(VALIDITY);
  expect(leaf.verify(new X509Certificate(other.certificate).publicKey)).toBe(false);
});

const hasOpenssl = ((): boolean => {
  try {
    execFileSync(OPENSSL, ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!hasOpenssl)("openssl verifies the chain strictly, for a server, and by name", () => {
  const folder = mkdtempSync(join(tmpdir(), "grove-x509-"));
  try {
    const authority = issueAuthority(VALIDITY);
    const other = issueAuthority(VALIDITY);
    const server = issueServerCertificate(authority, NAMES, VALIDITY);
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    // Two authorities of one name: the key identifiers tell which is meant.
    const bundle = write("ca.crt", other.certificate + authority.certificate);
    const leaf = write("tls.crt", server.certificate);
    const verify = (...more: readonly string[]): string =>
      execFileSync(OPENSSL, ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", bundle, ...more, leaf], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    expect(verify("-verify_hostname", "grove-operator.grove-system.svc")).toMatch(/: OK/);
    expect(verify("-verify_ip", "2001:db8::ff00:42:8329")).toMatch(/: OK/);
    expect(() => verify("-verify_hostname", "example.com")).toThrow();
    const text = execFileSync(OPENSSL, ["x509", "-in", leaf, "-noout", "-text"], { encoding: "utf8" });
    expect(text).toMatch(/TLS Web Server Authentication/);
    expect(text).toMatch(/IP Address:2001:DB8:0:0:0:FF00:42:8329/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function handshake(server: CertifiedKey, ca: string, name: string): Promise<PeerCertificate> {
  const listener = createServer({ cert: server.certificate, key: server.privateKey }, (socket) => socket.end());
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  try {
    return await new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, ca, servername: name }, () => {
        resolve(socket.getPeerCertificate());
        socket.destroy();
      });
      socket.once("error", reject);
    });
  } finally {
    listener.close();
  }
}

test("a TLS client takes it, and none of another authority, another name or another time", async () => {
  const authority = issueAuthority(VALIDITY);
  const server = issueServerCertificate(authority, NAMES, VALIDITY);
  expect((await handshake(server, authority.certificate, "localhost")).subject.CN).toBe(NAMES[0]);
  await expect(handshake(server, issueAuthority(VALIDITY).certificate, "localhost")).rejects.toThrow();
  await expect(handshake(server, authority.certificate, "other")).rejects.toThrow(/altnames|does not match/);
  const late = issueServerCertificate(authority, NAMES, {
    notBeforeMs: NOW_MS - 2 * DAY_MS,
    notAfterMs: NOW_MS - DAY_MS,
  });
  await expect(handshake(late, authority.certificate, "localhost")).rejects.toThrow(/expired/);
});
