import { request } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { wallClock } from "../clock.ts";
import { type ProfilingServer, startProfilingServer } from "./profiling.ts";

let server: ProfilingServer;
beforeEach(async () => {
  server = await startProfilingServer("127.0.0.1", 0, wallClock());
});
afterEach(() => server.close());

async function get(path: string): Promise<{ readonly status: number; readonly text: string }> {
  const { statusCode, body } = await request(`http://127.0.0.1:${server.port}${path}`);
  return { status: statusCode, text: await body.text() };
}

test("CPU and heap profiles in the formats of V8", async () => {
  const cpu = await get("/debug/pprof/profile?seconds=0.05");
  expect(cpu.status).toBe(200);
  expect(Object.keys(JSON.parse(cpu.text))).toEqual(expect.arrayContaining(["nodes", "startTime", "endTime"]));
  const heap = await get("/debug/pprof/heap?seconds=0");
  expect(Object.keys(JSON.parse(heap.text))).toEqual(expect.arrayContaining(["head", "samples"]));
});

test("one at a time, and nothing else", async () => {
  const [first, second] = await Promise.all([
    get("/debug/pprof/profile?seconds=0.2"),
    get("/debug/pprof/profile?seconds=0.2"),
  ]);
  expect([first.status, second.status].toSorted()).toEqual([200, 429]);
  expect((await get("/debug/pprof/profile?seconds=0")).status).toBe(200);
  expect((await get("/")).status).toBe(404);
});
