/**
 * What follows from the label sets of a vector alone: an expression is evaluated again and again, and the series it is about change only when pods come or go.
 */
import type { LabelSet } from "./labels.ts";
import type { Element } from "./vector.ts";

export class PerLabels<T> {
  readonly #derive: (labels: readonly LabelSet[]) => T;
  #labels: readonly LabelSet[] | undefined;
  #derived: T | undefined;

  constructor(derive: (labels: readonly LabelSet[]) => T) {
    this.#derive = derive;
  }

  /** Derived anew when one of the label sets is another object than the last time. */
  of(elements: readonly Element[]): T {
    if (!this.#isOf(elements)) {
      const labels = elements.map((element) => element.labels);
      this.#derived = this.#derive(labels);
      this.#labels = labels;
    }
    return this.#derived as T;
  }

  #isOf(elements: readonly Element[]): boolean {
    const labels = this.#labels;
    if (labels?.length !== elements.length) return false;
    for (let at = 0; at < labels.length; at++) if (labels[at] !== (elements[at] as Element).labels) return false;
    return true;
  }
}
