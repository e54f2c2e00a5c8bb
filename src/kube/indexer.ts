/** A keyed store of objects with secondary indexes that are kept up on every change. */
import { type KubeObject, keyOf } from "../api/kubernetes/meta.ts";

export type IndexFunctions<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

export class Indexer<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #functions: IndexFunctions<T>;
  readonly #indexes = new Map<string, Map<string, Map<string, T>>>();

  constructor(functions: IndexFunctions<T>) {
    this.#functions = functions;
    for (const name of Object.keys(functions)) this.#indexes.set(name, new Map());
  }

  /** @returns the object that was there before */
  put(object: T): T | undefined {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (before !== undefined) this.#unindex(key, before);
    this.#objects.set(key, object);
    for (const [name, index] of this.#indexes) {
      for (const value of this.#functions[name]?.(object) ?? []) {
        let bucket = index.get(value);
        if (bucket === undefined) {
          bucket = new Map();
          index.set(value, bucket);
        }
        bucket.set(key, object);
      }
    }
    return before;
  }

  /** @returns the object that was there */
  delete(key: string): T | undefined {
    const before = this.#objects.get(key);
    if (before === undefined) return undefined;
    this.#unindex(key, before);
    this.#objects.delete(key);
    return before;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): readonly T[] {
    return [...this.#objects.values()];
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new RangeError(`there is no index "${name}"`);
    const bucket = index.get(value);
    return bucket === undefined ? [] : [...bucket.values()];
  }

  #unindex(key: string, object: T): void {
    for (const [name, index] of this.#indexes) {
      for (const value of this.#functions[name]?.(object) ?? []) {
        const bucket = index.get(value);
        bucket?.delete(key);
        if (bucket?.size === 0) index.delete(value);
      }
    }
  }
}
