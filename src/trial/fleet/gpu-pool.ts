/** The GPUs of a cluster: nodes in racks, gangs placed whole or not at all. */

export interface GpuPoolShape {
  readonly nodes: number;
  readonly gpusPerNode: number;
  /** Nodes that share the fast network. */
  readonly nodesPerRack: number;
}

export interface Placement {
  /** One entry a pod of the gang, in the order they were asked for. */
  readonly nodes: readonly number[];
}

export class GpuPool {
  readonly shape: GpuPoolShape;
  readonly #free: number[];
  readonly #isDown = new Set<number>();

  constructor(shape: GpuPoolShape) {
    this.shape = shape;
    this.#free = Array<number>(shape.nodes).fill(shape.gpusPerNode);
  }

  nodeName(node: number): string {
    return `node-${String(node).padStart(3, "0")}`;
  }

  get nodeNames(): readonly string[] {
    return this.#free.map((_, node) => this.nodeName(node));
  }

  /**
   * Every pod of the gang, or nothing. The whole gang goes into one rack if any rack takes it, into the fullest such one, and within the rack each pod
   * onto the fullest node that has room, so that whole nodes stay free for gangs to come; else over the racks.
   *
   * @param gpus of each pod
   */
  place(gpus: readonly number[]): Placement | undefined {
    const racks = this.#racks().toSorted((a, b) => this.#freeOf(a) - this.#freeOf(b));
    for (const nodes of [...racks, this.#upNodes()]) {
      const placed = this.#fit(gpus, nodes);
      if (placed !== undefined) {
        for (const [pod, node] of placed.entries()) this.#take(node, gpus[pod] as number);
        return { nodes: placed };
      }
    }
    return undefined;
  }

  release({ nodes }: Placement, gpus: readonly number[]): void {
    for (const [pod, node] of nodes.entries()) this.#take(node, -(gpus[pod] as number));
  }

  /** A node that is down takes no pods; what it held is for the caller to release. */
  setDown(node: number, isDown: boolean): void {
    if (isDown) this.#isDown.add(node);
    else this.#isDown.delete(node);
  }

  #take(node: number, gpus: number): void {
    this.#free[node] = (this.#free[node] as number) - gpus;
  }

  #upNodes(): readonly number[] {
    return this.#free.map((_, node) => node).filter((node) => !this.#isDown.has(node));
  }

  #racks(): readonly (readonly number[])[] {
    return [...Map.groupBy(this.#upNodes(), (node) => Math.floor(node / this.shape.nodesPerRack)).values()];
  }

  #freeOf(nodes: readonly number[]): number {
    return nodes.reduce((sum, node) => sum + (this.#free[node] as number), 0);
  }

  /** Largest pods first. */
  #fit(gpus: readonly number[], nodes: readonly number[]): readonly number[] | undefined {
    const free = new Map(nodes.map((node) => [node, this.#free[node] as number]));
    const placed = Array<number>(gpus.length).fill(-1);
    const order = gpus.map((_, pod) => pod).toSorted((a, b) => (gpus[b] as number) - (gpus[a] as number) || a - b);
    for (const pod of order) {
      const wanted = gpus[pod] as number;
      let best = -1;
      for (const [node, room] of free) {
        if (room >= wanted && (best === -1 || room < (free.get(best) as number))) best = node;
      }
      if (best === -1) return undefined;
      placed[pod] = best;
      free.set(best, (free.get(best) as number) - wanted);
    }
    return placed;
  }
}
