/** Things by a number, the least first, equal ones in the order in which they came. A binary heap in columns: nothing is allocated for an entry. */
const FIRST_CAPACITY = 16;

export class MinHeap<T> {
  #keys = new Float64Array(FIRST_CAPACITY);
  #orders = new Float64Array(FIRST_CAPACITY);
  readonly #items: T[] = [];
  #nextOrder = 0;

  /** Infinity when it is empty. */
  get firstKey(): number {
    return this.#items.length === 0 ? Number.POSITIVE_INFINITY : (this.#keys[0] as number);
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  push(key: number, item: T): void {
    const items = this.#items;
    const order = this.#nextOrder++;
    let index = items.length;
    items.push(item);
    if (index === this.#keys.length) this.#grow();
    const keys = this.#keys;
    const orders = this.#orders;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      // Who came last is behind its equals.
      if (!(key < (keys[parent] as number))) break;
      this.#move(parent, index);
      index = parent;
    }
    keys[index] = key;
    orders[index] = order;
    items[index] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    const size = items.length;
    if (last === undefined || size === 0) return first;
    const keys = this.#keys;
    const orders = this.#orders;
    const key = keys[size] as number;
    const order = orders[size] as number;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isBefore(child + 1, keys[child] as number, orders[child] as number)) child++;
      if (!this.#isBefore(child, key, order)) break;
      this.#move(child, index);
      index = child;
    }
    keys[index] = key;
    orders[index] = order;
    items[index] = last;
    return first;
  }

  clear(): void {
    this.#items.length = 0;
  }

  #isBefore(index: number, key: number, order: number): boolean {
    const own = this.#keys[index] as number;
    return own < key || (own === key && (this.#orders[index] as number) < order);
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from] as number;
    this.#orders[to] = this.#orders[from] as number;
    this.#items[to] = this.#items[from] as T;
  }

  #grow(): void {
    const keys = new Float64Array(this.#keys.length * 2);
    keys.set(this.#keys);
    this.#keys = keys;
    const orders = new Float64Array(keys.length);
    orders.set(this.#orders);
    this.#orders = orders;
  }
}
