/** A keyed store of objects with secondary indexes that are kept up on every change. */
import { type KubeObject, keyOf } from "../api/kubernetes/meta.ts";

export type IndexFunctions<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

export class Indexer<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #functions: IndexFunctions<T>;
  readonly #indexes = new Map<string, Map<string, Bucket<T>>>();

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
      for (const value of this.#functions[name]?.(object) ?? [])
        index.set(value, withObject(index.get(value) ?? [], key, object));
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

  get size(): number {
    return this.#objects.size;
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** A list that changes no more, whatever changes here. */
  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new RangeError(`there is no index "${name}"`);
    const bucket = index.get(value) ?? [];
    return bucket instanceof Map ? [...bucket.values()] : bucket;
  }

  #unindex(key: string, object: T): void {
    for (const [name, index] of this.#indexes) {
      for (const value of this.#functions[name]?.(object) ?? []) {
        const bucket = withoutObject(index.get(value) ?? [], key, object);
        if (bucket === undefined) index.delete(value);
        else index.set(value, bucket);
      }
    }
  }
}

/** The objects of one value. Nearly all have a handful, and a list of those takes a fourth of the memory of a map. */
type Bucket<T> = readonly T[] | Map<string, T>;

const MAX_LISTED = 16;

function withObject<T extends KubeObject>(bucket: Bucket<T>, key: string, object: T): Bucket<T> {
  if (bucket instanceof Map) return bucket.set(key, object);
  // An object may have a value twice.
  if (bucket.at(-1) === object) return bucket;
  return bucket.length < MAX_LISTED
    ? [...bucket, object]
    : new Map([...bucket.map((one) => [keyOf(one), one] as const), [key, object]]);
}

/** @returns undefined when nothing is left */
function withoutObject<T>(bucket: Bucket<T>, key: string, object: T): Bucket<T> | undefined {
  if (!(bucket instanceof Map)) {
    const left = bucket.filter((one) => one !== object);
    return left.length === 0 ? undefined : left;
  }
  bucket.delete(key);
  return bucket.size === 0 ? undefined : bucket;
}
