/**
 * Reads the bodies of responses into buffers that serve again. A fleet's answer has more than ten megabytes and there are dozens of them a tick: memory
 * outside of the heap that comes and goes at that pace makes V8 collect the whole heap every second, most of a large autoscaler's CPU. Only a few large
 * bodies are read at a time; the others wait on their connections.
 */
import type { Readable } from "node:stream";

export interface ResponseBody {
  /** Valid until `release`. */
  readonly bytes: Buffer;
  /** Once, and soon: others may wait for the buffer. */
  release(): void;
}

export interface ReadBodyOptions {
  readonly maxBytes: number;
  /** Ends the reading, and the wait for a buffer, with its reason. */
  readonly signal: AbortSignal;
}

/** The body has more bytes than it may have. */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";
}

/** What is larger is read beside one other that is. */
const SMALL_BYTES = 256 * 1024;
const LARGE_AT_ONCE = 2;
const SMALL_KEPT = 8;

export class ResponseBuffers {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];
  #largeInUse = 0;
  /** Each takes over the place of one that is released. */
  readonly #waiting = new Set<() => void>();

  /** @throws BodyTooLargeError, the signal's reason, or what the stream fails with */
  async read(stream: Readable, { maxBytes, signal }: ReadBodyOptions): Promise<ResponseBody> {
    let buffer = this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    let length = 0;
    const stop = (): void => void stream.destroy(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      signal.throwIfAborted();
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        const end = length + chunk.length;
        if (end > maxBytes) throw new BodyTooLargeError(`more than ${maxBytes} bytes`);
        if (end > buffer.length) {
          const larger = await this.#largerThan(buffer, end, signal);
          buffer.copy(larger, 0, 0, length);
          if (isSmall(buffer)) this.#release(buffer);
          buffer = larger;
        }
        chunk.copy(buffer, length);
        length = end;
      }
    } catch (error) {
      this.#release(buffer);
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    return { bytes: buffer.subarray(0, length), release: () => this.#release(buffer) };
  }

  async #largerThan(buffer: Buffer, minBytes: number, signal: AbortSignal): Promise<Buffer> {
    if (isSmall(buffer)) {
      await this.#place(signal);
      const free = this.#large.pop();
      if (free !== undefined && free.length >= minBytes) return free;
    }
    return Buffer.allocUnsafeSlow(Math.max(minBytes, 2 * buffer.length));
  }

  async #place(signal: AbortSignal): Promise<void> {
    if (this.#largeInUse < LARGE_AT_ONCE) {
      this.#largeInUse++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.delete(take);
        reject(signal.reason);
      };
      const take = (): void => {
        this.#waiting.delete(take);
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      this.#waiting.add(take);
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  #release(buffer: Buffer): void {
    if (isSmall(buffer)) {
      if (this.#small.length < SMALL_KEPT) this.#small.push(buffer);
      return;
    }
    this.#large.push(buffer);
    const [next] = this.#waiting;
    if (next === undefined) this.#largeInUse--;
    else next();
  }
}

const isSmall = (buffer: Buffer): boolean => buffer.length <= SMALL_BYTES;
