/**
 * Reads the bodies of responses into buffers that serve again. A fleet's answer has more than ten megabytes and there are dozens of them a tick: memory
 * outside of the heap that comes and goes at that pace makes V8 collect the whole heap every second, most of a large autoscaler's CPU.
 */
import type { Readable } from "node:stream";

export interface ResponseBody {
  /** Valid until `release`. */
  readonly bytes: Buffer;
  release(): void;
}

export interface ReadBodyOptions {
  readonly maxBytes: number;
  /** Ends the reading with its reason. */
  readonly signal: AbortSignal;
}

/** The body has more bytes than it may have. */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";
}

const FIRST_BYTES = 64 * 1024;
/** Buffers that wait for the next response; what more of them arrive at once is left to the garbage collector. */
const MAX_KEPT = 2;

export class ResponseBuffers {
  readonly #free: Buffer[] = [];

  /** @throws BodyTooLargeError, the signal's reason, or what the stream fails with */
  async read(stream: Readable, { maxBytes, signal }: ReadBodyOptions): Promise<ResponseBody> {
    let buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(FIRST_BYTES);
    let length = 0;
    const stop = (): void => void stream.destroy(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      signal.throwIfAborted();
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        const end = length + chunk.length;
        if (end > maxBytes) throw new BodyTooLargeError(`more than ${maxBytes} bytes`);
        if (end > buffer.length) {
          const larger = Buffer.allocUnsafeSlow(Math.max(end, 2 * buffer.length));
          buffer.copy(larger, 0, 0, length);
          buffer = larger;
        }
        chunk.copy(buffer, length);
        length = end;
      }
    } catch (error) {
      this.#keep(buffer);
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    return { bytes: buffer.subarray(0, length), release: () => this.#keep(buffer) };
  }

  #keep(buffer: Buffer): void {
    if (this.#free.length < MAX_KEPT) this.#free.push(buffer);
  }
}
