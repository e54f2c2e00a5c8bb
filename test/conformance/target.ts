/** What the API server conformance suite talks to: raw HTTP, so that any server can stand behind it. */
import { readFile } from "node:fs/promises";
import { Agent, type Dispatcher, request as send } from "undici";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; undefined when it is not. */
  // biome-ignore lint/suspicious/noExplicitAny: tests pick through answers of every shape
  readonly json: any;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Target {
  readonly baseUrl: string;
  request(method: string, path: string, options?: RequestOptions): Promise<HttpAnswer>;
  /** Lines of a stream as they come, until the signal aborts or the server ends it. */
  lines(path: string, signal: AbortSignal): AsyncIterable<string>;
  stop(): Promise<void>;
}

export interface TargetOptions {
  readonly baseUrl: string;
  readonly caFile?: string;
  readonly token?: string;
  readonly stop: () => Promise<void>;
}

export async function httpTarget({ baseUrl, caFile, token, stop }: TargetOptions): Promise<Target> {
  const dispatcher = new Agent({
    ...(caFile !== undefined && { connect: { ca: await readFile(caFile) } }),
    bodyTimeout: 0,
  });
  const common = { "user-agent": "conformance/1.0", ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  return {
    baseUrl,
    async request(method, path, { headers = {}, body } = {}) {
      const answer = await send(`${baseUrl}${path}`, {
        method: method as Dispatcher.HttpMethod,
        dispatcher,
        headers: { ...common, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
      });
      const text = await answer.body.text();
      return { status: answer.statusCode, headers: answer.headers, text, json: parsed(text) };
    },
    async *lines(path, signal) {
      const answer = await send(`${baseUrl}${path}`, { dispatcher, headers: common, signal });
      let rest = "";
      try {
        for await (const chunk of answer.body.setEncoding("utf8") as AsyncIterable<string>) {
          const parts = (rest + chunk).split("\n");
          rest = parts.pop() ?? "";
          yield* parts;
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
    async stop() {
      await dispatcher.destroy();
      await stop();
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
