/**
 * A real control plane as processes on loopback: etcd, kube-apiserver and kube-controller-manager (optionally
 * kube-scheduler), with its data in a temporary directory.
 *
 * Binaries: `$KUBEBUILDER_ASSETS` (etcd, kube-apiserver, …), else what `build.sh` here has built into the cache.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { Agent, request } from "undici";

type Component = "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler";

/** How to start a component: program and leading arguments. */
type Programs = (component: Component) => readonly [string, ...string[]];

export interface ControlPlaneOptions {
  /** Namespaces' default accounts, token Secrets and garbage collection need it. Default true. */
  readonly controllerManager?: boolean;
  readonly scheduler?: boolean;
  /** Further kube-apiserver flags, for example `--enable-admission-plugins=…`. */
  readonly apiServerFlags?: readonly string[];
}

export interface ControlPlane {
  readonly url: string;
  readonly caFile: string;
  /** Of a member of system:masters. */
  readonly adminToken: string;
  /** The token of one of {@link KNOWN_USERS}. */
  tokenFor(user: string): string;
  readonly kubeconfigPath: string;
  /** Of etcd's HTTP gateway. */
  readonly etcdUrl: string;
  stop(): Promise<void>;
}

/** Users besides the administrator; more than these need a token of a ServiceAccount. */
const KNOWN_USERS: Readonly<Record<string, readonly string[]>> = {
  "system:serviceaccount:default:grove-autoscaler": ["system:serviceaccounts"],
  "alice@example.com": ["system:masters"],
  "bob@example.com": ["team-inference"],
};

const START_LIMIT_MS = 120_000;
const here = import.meta.dirname;
const run = promisify(execFile);

/** Why a control plane cannot be started here, or undefined when it can. */
export function missingParts(): string | undefined {
  if (findPrograms() === undefined) {
    return `no kube-apiserver: run test/real/control-plane/build.sh (needs Go >= 1.25) or set KUBEBUILDER_ASSETS`;
  }
  const openssl = (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, "openssl")));
  return openssl ? undefined : "no openssl in PATH: install the package openssl";
}

/**
 * Whether tests on a real control plane run here. Where a part is missing they are skipped with a line that says so;
 * with `CI=true` that is an error.
 */
export function canStartControlPlane(): boolean {
  const missing = missingParts();
  if (missing === undefined) return true;
  if (process.env["CI"] === "true") throw new Error(missing);
  process.stderr.write(`skipped: ${missing}\n`);
  return false;
}

/** A port that was free a moment ago may be somebody's connection by now: the component ends, and other ports are tried. */
const MAX_STARTS = 3;

export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const programs = findPrograms();
  if (programs === undefined) throw new Error(missingParts());
  for (let starts = 1; ; starts++) {
    const folder = await mkdtemp(join(tmpdir(), "grove-control-plane-"));
    const children: ChildProcess[] = [];
    const stop = async (): Promise<void> => {
      for (const child of children.toReversed()) await end(child);
      await rm(folder, { recursive: true, force: true });
    };
    try {
      return await start(programs, folder, children, options, stop);
    } catch (error) {
      const logs = await logsIn(folder);
      await stop();
      if (starts >= MAX_STARTS) throw new Error(`the control plane did not start\n${logs}`, { cause: error });
    }
  }
}

/** The end of what each component has said. */
async function logsIn(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".log"));
  const texts = names.map(async (name) => `== ${name}\n${(await readFile(join(folder, name), "utf8")).slice(-1500)}`);
  return (await Promise.all(texts)).join("\n");
}

async function start(
  programs: Programs,
  folder: string,
  children: ChildProcess[],
  options: ControlPlaneOptions,
  stop: () => Promise<void>,
): Promise<ControlPlane> {
  const file = (name: string): string => join(folder, name);
  const [etcdPort, peerPort, apiPort, managerPort, schedulerPort] = await freePorts(5);
  await makeCertificates(folder);
  const tokens = new Map(Object.keys(KNOWN_USERS).map((user) => [user, randomBytes(16).toString("hex")]));
  const adminToken = randomBytes(16).toString("hex");
  const lines = [
    `${adminToken},kubernetes-admin,admin,"system:masters"`,
    ...[...tokens].map(([user, token]) => `${token},${user},${user},"${KNOWN_USERS[user]?.join(",")}"`),
  ];
  await writeFile(file("tokens.csv"), `${lines.join("\n")}\n`);
  const url = `https://127.0.0.1:${apiPort}`;
  const caFile = file("ca.crt");
  const kubeconfigPath = file("kubeconfig");
  await writeFile(kubeconfigPath, kubeconfig(url, caFile, adminToken));

  const launch = (component: Component, flags: readonly string[]): void => {
    const [program, ...leading] = programs(component);
    const log = openSync(file(`${component}.log`), "a");
    children.push(spawn(program, [...leading, ...flags], { stdio: ["ignore", log, log] }));
  };
  const etcd = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  launch("etcd", [
    ...["--name", "test", "--data-dir", file("etcd"), "--unsafe-no-fsync", "--log-level", "warn"],
    ...["--listen-client-urls", etcd, "--advertise-client-urls", etcd],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `test=${peer}`],
  ]);
  launch("kube-apiserver", [
    ...["--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"],
    // A loopback address is refused as an endpoint of the `kubernetes` Service.
    ...["--endpoint-reconciler-type", "none", "--secure-port", String(apiPort)],
    ...[
      "--tls-cert-file",
      file("server.crt"),
      "--tls-private-key-file",
      file("server.key"),
      "--client-ca-file",
      caFile,
    ],
    ...["--service-account-key-file", file("sa.pub"), "--service-account-signing-key-file", file("sa.key")],
    ...["--service-account-issuer", "https://kubernetes.default.svc", "--service-cluster-ip-range", "10.96.0.0/16"],
    ...["--token-auth-file", file("tokens.csv"), "--authorization-mode", "RBAC", "--allow-privileged"],
    ...(options.apiServerFlags ?? []),
  ]);
  const asClient = ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"].flatMap((flag) => [
    flag,
    kubeconfigPath,
  ]);
  const common = [...asClient, "--leader-elect=false", "--bind-address", "127.0.0.1"];
  if (options.controllerManager !== false) {
    const keys = ["--service-account-private-key-file", file("sa.key"), "--root-ca-file", caFile];
    launch("kube-controller-manager", [...common, "--secure-port", String(managerPort), ...keys]);
  }
  if (options.scheduler === true) launch("kube-scheduler", [...common, "--secure-port", String(schedulerPort)]);

  const needsAccounts = options.controllerManager !== false;
  await waitUntilReady(url, caFile, adminToken, children, needsAccounts);
  return {
    url,
    caFile,
    adminToken,
    tokenFor(user) {
      const token = tokens.get(user);
      if (token === undefined) throw new Error(`${user} is not one of KNOWN_USERS`);
      return token;
    },
    kubeconfigPath,
    etcdUrl: etcd,
    stop,
  };
}

function findPrograms(): Programs | undefined {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  if (assets !== undefined && existsSync(join(assets, "kube-apiserver")))
    return (component) => [join(assets, component)];
  const sources = ["go.sum", "main.go"].map((name) => readFileSync(join(here, name)));
  const hash = createHash("sha256").update(Buffer.concat(sources)).digest("hex").slice(0, 16);
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const built = join(cache, "grove-autoscaler", `controlplane-${hash}`, "controlplane");
  return existsSync(built) ? (component) => [built, component] : undefined;
}

/** One CA, a server certificate for loopback, and a key pair for ServiceAccount tokens. */
async function makeCertificates(folder: string): Promise<void> {
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  const days = ["-days", "2", "-nodes"];
  await openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    ...days,
    "-subj",
    "/CN=test-ca",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
  );
  await openssl(
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    "/CN=kube-apiserver",
    "-keyout",
    "server.key",
    "-out",
    "server.csr",
  );
  await writeFile(join(folder, "san.cnf"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san.cnf"];
  await openssl("x509", "-req", "-in", "server.csr", ...signing, "-out", "server.crt");
  await openssl("genrsa", "-out", "sa.key", "2048");
  await openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub");
}

function kubeconfig(url: string, caFile: string, token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: url, "certificate-authority": caFile } }],
    users: [{ name: "admin", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin", namespace: "default" } }],
    "current-context": "test",
  });
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

async function waitUntilReady(
  url: string,
  caFile: string,
  token: string,
  children: readonly ChildProcess[],
  needsAccounts: boolean,
): Promise<void> {
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile) } });
  const answers = async (path: string): Promise<boolean> => {
    const answer = await request(`${url}${path}`, { dispatcher, headers: { authorization: `Bearer ${token}` } }).catch(
      () => undefined,
    );
    await answer?.body.dump();
    return answer?.statusCode === 200;
  };
  const paths = ["/readyz", "/api/v1/namespaces/default"];
  if (needsAccounts) paths.push("/api/v1/namespaces/default/serviceaccounts/default");
  const endMs = Date.now() + START_LIMIT_MS;
  try {
    for (const path of paths) {
      while (!(await answers(path))) {
        const dead = children.find(({ exitCode }) => exitCode !== null);
        if (dead !== undefined) throw new Error(`${dead.spawnargs.slice(0, 2).join(" ")} ended with ${dead.exitCode}`);
        if (Date.now() > endMs) throw new Error(`${path} does not answer`);
        await wait(100);
      }
    }
  } finally {
    await dispatcher.close();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const late = wait(5_000, "late", { ref: false });
  if ((await Promise.race([ended, late])) === "late") {
    child.kill("SIGKILL");
    await ended;
  }
}
