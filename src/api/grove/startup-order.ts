/** The graph that `startsAfter` draws between clique templates. */

interface Vertex {
  readonly name: string;
  readonly after: readonly string[];
}

/**
 * Groups of cliques that wait for one another: strongly connected components with more than one member, each in the
 * order of the input. Edges to unknown names and to oneself are other errors and ignored here.
 * Algorithm: R. Tarjan, "Depth-first search and linear graph algorithms", 1972.
 */
export function startupCycles(vertices: readonly Vertex[]): readonly (readonly string[])[] {
  const byName = new Map(vertices.map((vertex) => [vertex.name, vertex]));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();
  const cycles: (readonly string[])[] = [];

  const visit = ({ name, after }: Vertex): void => {
    order.set(name, order.size);
    low.set(name, order.get(name)!);
    stack.push(name);
    onStack.add(name);
    for (const parent of after) {
      const next = byName.get(parent);
      if (next === undefined) continue;
      if (!order.has(parent)) {
        visit(next);
        low.set(name, Math.min(low.get(name)!, low.get(parent)!));
      } else if (onStack.has(parent)) {
        low.set(name, Math.min(low.get(name)!, order.get(parent)!));
      }
    }
    if (low.get(name) !== order.get(name)) return;
    const component = stack.splice(stack.indexOf(name));
    for (const member of component) onStack.delete(member);
    if (component.length > 1) cycles.push(vertices.map((v) => v.name).filter((member) => component.includes(member)));
  };
  for (const vertex of vertices) if (!order.has(vertex.name)) visit(vertex);
  return cycles;
}
