/** What has to be done about the certificates in the Secret: nothing, a new server certificate, or a new authority too. Pure but for the keys that it makes. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { type CertifiedKey, issueAuthority, issueServerCertificate } from "./x509.ts";

/** As the Secret holds them, PEM. `ca` begins with the authority in use; one that it took over from follows until its end. */
export interface CertificateBundle {
  readonly certificate: string;
  readonly privateKey: string;
  readonly ca: string;
  readonly caKey: string;
}

export interface CertificatePlan {
  readonly bundle: CertificateBundle;
  /** Why it is not the one that was there; absent: it is. */
  readonly renewed?: string;
  /** When to look again. */
  readonly dueAtMs: number;
}

const DAY_MS = 86_400_000;
const AUTHORITY_MS = 3650 * DAY_MS;
const SERVER_MS = 365 * DAY_MS;
/** Renewed this long before the end: an operator that is down for a month still comes up with a good certificate. */
const AHEAD_MS = 90 * DAY_MS;
/** API servers' clocks may be behind ours. */
const BACKDATE_MS = 3_600_000;
/** The names that a certificate has had stay in it, so that replicas on several hosts do not take turns renewing it. */
const NAMES_MAX = 64;

export function planCertificates(
  present: Partial<CertificateBundle>,
  names: readonly string[],
  nowMs: number,
): CertificatePlan {
  const authority = presentAuthority(present, nowMs);
  if (typeof authority !== "string") {
    const problem = serverProblem(present, authority.certificate, names, nowMs);
    if (problem === undefined) {
      const bundle = present as CertificateBundle;
      const dueAtMs = Math.min(endOf(bundle.certificate), endOf(authority.certificate)) - AHEAD_MS;
      return { bundle, dueAtMs };
    }
    const caKey = authority.privateKey;
    return renew(problem, authority, present.ca ?? authority.certificate, caKey, known(present, names), nowMs);
  }
  const fresh = issueAuthority({ notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + AUTHORITY_MS });
  // Other replicas still serve under the old authority until they have seen the Secret.
  const [former] = certificatesIn(present.ca ?? "").filter((pem) => isCurrent(pem, nowMs));
  return renew(authority, fresh, fresh.certificate + (former ?? ""), fresh.privateKey, known(present, names), nowMs);
}

function renew(
  renewed: string,
  authority: CertifiedKey,
  ca: string,
  caKey: string,
  names: readonly string[],
  nowMs: number,
): CertificatePlan {
  const notAfterMs = Math.min(nowMs + SERVER_MS, endOf(authority.certificate));
  const server = issueServerCertificate(authority, names, { notBeforeMs: nowMs - BACKDATE_MS, notAfterMs });
  const bundle = { certificate: server.certificate, privateKey: server.privateKey, ca, caKey };
  return { bundle, renewed, dueAtMs: notAfterMs - AHEAD_MS };
}

/** @returns the authority, or why there is none that can be used */
function presentAuthority({ ca = "", caKey = "" }: Partial<CertificateBundle>, nowMs: number): CertifiedKey | string {
  const [certificate] = certificatesIn(ca);
  if (certificate === undefined || caKey === "") return "there is no authority of our own yet";
  try {
    const parsed = new X509Certificate(certificate);
    if (!parsed.ca || !parsed.checkPrivateKey(createPrivateKey(caKey))) return "the authority and its key do not match";
    if (!isCurrent(certificate, nowMs + AHEAD_MS)) return "the authority ends soon";
    return { certificate, privateKey: caKey };
  } catch {
    return "the authority cannot be read";
  }
}

function serverProblem(
  { certificate = "", privateKey = "" }: Partial<CertificateBundle>,
  authority: string,
  names: readonly string[],
  nowMs: number,
): string | undefined {
  if (certificate === "" || privateKey === "") return "there is no server certificate yet";
  try {
    const parsed = new X509Certificate(certificate);
    if (!parsed.verify(new X509Certificate(authority).publicKey))
      return "the server certificate is of another authority";
    if (!parsed.checkPrivateKey(createPrivateKey(privateKey))) return "the server certificate and its key do not match";
    if (!isCurrent(certificate, nowMs + AHEAD_MS)) return "the server certificate ends soon";
    const missing = names.find((name) => !covers(parsed, name));
    return missing === undefined ? undefined : `the server certificate does not cover ${missing}`;
  } catch {
    return "the server certificate cannot be read";
  }
}

const covers = (certificate: X509Certificate, name: string): boolean =>
  (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;

function known({ certificate = "" }: Partial<CertificateBundle>, names: readonly string[]): readonly string[] {
  let former: readonly string[] = [];
  try {
    const text = new X509Certificate(certificate).subjectAltName ?? "";
    former = text.split(", ").map((entry) => entry.replace(/^(DNS|IP Address):/, ""));
  } catch {
    // What cannot be read has no names.
  }
  const extra = former.filter((name) => name !== "" && !names.some((one) => one === name) && isIP(name) !== 6);
  return [...names, ...extra].slice(0, Math.max(NAMES_MAX, names.length));
}

const certificatesIn = (pem: string): readonly string[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((one) => `${one}\n`);

function isCurrent(pem: string, atMs: number): boolean {
  try {
    return endOf(pem) > atMs;
  } catch {
    return false;
  }
}

const endOf = (pem: string): number => new X509Certificate(pem).validToDate.getTime();
