/**
 * The KV blocks of prompts on one engine that other prompts with the same beginning can use.
 *
 * Blocks have ids that stand for their content and for all that is before it. A block that requests use is held, and counts
 * once however many use it; one that nobody uses any more is kept until its room is needed, least recently used first, the
 * end of a prompt before its beginning (as vLLM frees them).
 */

/** Tokens of a block in the traces (Mooncake's). The last one of a prompt may hold fewer. */
export const PREFIX_BLOCK_TOKENS = 512;

/** The ids of a prompt's blocks, in order. */
export interface Prompt {
  readonly blocks?: readonly number[] | undefined;
  readonly inputTokens: number;
}

interface Held {
  users: number;
  readonly tokens: number;
}

export class PrefixCache {
  readonly #held = new Map<number, Held>();
  /** Id to tokens, least recently used first. */
  readonly #idle = new Map<number, number>();
  #idleTokens = 0;
  #duplicateTokens = 0;

  /** What users of the same block would hold more if each had its own. */
  get duplicateTokens(): number {
    return this.#duplicateTokens;
  }

  /** Blocks from the beginning of the prompt that are there. */
  match({ blocks = [] }: Prompt): number {
    let count = 0;
    while (count < blocks.length && this.#has(blocks[count] as number)) count++;
    return count;
  }

  /** Of those the tokens that somebody holds already, so that the prompt needs no room for them. */
  heldTokens(prompt: Prompt): number {
    const { blocks = [] } = prompt;
    let tokens = 0;
    for (const id of blocks) {
      const held = this.#held.get(id);
      if (held === undefined && !this.#idle.has(id)) break;
      tokens += held?.tokens ?? 0;
    }
    return tokens;
  }

  /** One more user for the blocks `from` to `to` (exclusive) of a prompt: they are computed, or were found. */
  hold(prompt: Prompt, from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const id = prompt.blocks?.[index] as number;
      const held = this.#held.get(id);
      if (held !== undefined) {
        held.users++;
        this.#duplicateTokens += held.tokens;
        continue;
      }
      const idle = this.#idle.get(id);
      if (idle !== undefined) {
        this.#idle.delete(id);
        this.#idleTokens -= idle;
      }
      this.#held.set(id, { users: 1, tokens: tokensBetween(prompt, index, index + 1) });
    }
  }

  /** A user of the first `count` blocks of a prompt is gone. */
  release(prompt: Prompt, count: number): void {
    for (let index = count - 1; index >= 0; index--) {
      const id = prompt.blocks?.[index] as number;
      const held = this.#held.get(id) as Held;
      if (--held.users > 0) {
        this.#duplicateTokens -= held.tokens;
        continue;
      }
      this.#held.delete(id);
      this.#idle.set(id, held.tokens);
      this.#idleTokens += held.tokens;
    }
  }

  /** Drops what nobody uses until it fits. */
  trim(freeTokens: number): void {
    if (this.#idleTokens <= freeTokens) return;
    for (const [id, tokens] of this.#idle) {
      if (this.#idleTokens <= freeTokens) return;
      this.#idle.delete(id);
      this.#idleTokens -= tokens;
    }
  }

  clear(): void {
    this.#held.clear();
    this.#idle.clear();
    this.#idleTokens = 0;
    this.#duplicateTokens = 0;
  }

  #has(id: number): boolean {
    return this.#held.has(id) || this.#idle.has(id);
  }
}

/** Tokens in the blocks `from` to `to` (exclusive) of a prompt. */
export const tokensBetween = ({ inputTokens }: Prompt, from: number, to: number): number =>
  Math.min(inputTokens, to * PREFIX_BLOCK_TOKENS) - Math.min(inputTokens, from * PREFIX_BLOCK_TOKENS);
