/** `debugging.enableProfiling`: CPU and heap profiles of this process over HTTP, for the tools of V8 (Chrome, `speedscope`). */
import { createServer, type ServerResponse } from "node:http";
import { Session } from "node:inspector/promises";
import type { AddressInfo } from "node:net";
import type { Clock } from "../clock.ts";

export interface ProfilingServer {
  readonly port: number;
  close(): Promise<void>;
}

const SECONDS_DEFAULT = 30;
const SECONDS_MAX = 300;

/** Paths are those of Go's pprof; the formats are V8's. One profile at a time. */
export async function startProfilingServer(address: string, port: number, clock: Clock): Promise<ProfilingServer> {
  let isBusy = false;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const asked = Number(url.searchParams.get("seconds") ?? SECONDS_DEFAULT);
    const seconds = Number.isFinite(asked) ? Math.min(SECONDS_MAX, Math.max(0, asked)) : SECONDS_DEFAULT;
    const take =
      url.pathname === "/debug/pprof/profile"
        ? () => cpuProfile(clock, seconds * 1000)
        : url.pathname === "/debug/pprof/heap"
          ? () => heapProfile(clock, seconds * 1000)
          : undefined;
    if (take === undefined) return send(response, 404, "there is /debug/pprof/profile and /debug/pprof/heap\n");
    if (isBusy) return send(response, 429, "a profile is being taken\n");
    isBusy = true;
    take()
      .then(
        (profile) => send(response, 200, JSON.stringify(profile), "application/json"),
        (error: unknown) => send(response, 500, `${error}\n`),
      )
      .finally(() => {
        isBusy = false;
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function cpuProfile(clock: Clock, forMs: number): Promise<unknown> {
  return withSession(async (session) => {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    await clock.sleep(forMs);
    return (await session.post("Profiler.stop")).profile;
  });
}

async function heapProfile(clock: Clock, forMs: number): Promise<unknown> {
  return withSession(async (session) => {
    await session.post("HeapProfiler.startSampling");
    await clock.sleep(forMs);
    return (await session.post("HeapProfiler.stopSampling")).profile;
  });
}

async function withSession<T>(use: (session: Session) => Promise<T>): Promise<T> {
  const session = new Session();
  session.connect();
  try {
    return await use(session);
  } finally {
    session.disconnect();
  }
}

function send(response: ServerResponse, status: number, body: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
}
