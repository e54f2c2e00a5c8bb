/**
 * Notices when somebody else sets the replicas of an object that we scale: a person, an HPA, GitOps. Their value is respected for a while
 * instead of fought; a second writer that keeps writing keeps us out.
 */
import type { ScaledObject } from "../decide/observation.ts";
import type { ScaleWrite } from "../decide/transition.ts";

/** How long a foreign value stands before we take over again. */
const FOREIGN_HOLD_MS = 10 * 60_000;

interface Known {
  readonly uid: string;
  readonly replicas: number;
  /** A write of ours that was answered with an error: it may have gone through all the same. */
  readonly tried?: number;
}

export interface SeenObject extends Pick<ScaledObject, "objectName" | "replicas"> {
  readonly target: string;
  /** A new UID is a new object: the operator made it again from its template, and nobody wrote it. */
  readonly uid: string;
}

/** A clique and a group may have one name. */
const keyOf = ({ target, objectName }: Pick<SeenObject, "target" | "objectName">): string => `${target}/${objectName}`;

export class ForeignWriters {
  readonly #known = new Map<string, Known>();
  readonly #heldUntilMs = new Map<string, number>();

  /** @returns objects that changed without us since the last call */
  observe(objects: readonly SeenObject[], nowMs: number): readonly SeenObject[] {
    const foreign: SeenObject[] = [];
    for (const object of objects) {
      const key = keyOf(object);
      const known = this.#known.get(key);
      const isSame = known?.uid === object.uid && known.replicas === object.replicas;
      this.#known.set(key, isSame ? known : { uid: object.uid, replicas: object.replicas });
      // The first sight after a start is what is: who wrote it before is not ours to judge.
      if (known === undefined || known.uid !== object.uid || known.replicas === object.replicas) continue;
      if (known.tried === object.replicas) continue;
      this.#heldUntilMs.set(object.target, nowMs + FOREIGN_HOLD_MS);
      foreign.push(object);
    }
    return foreign;
  }

  /** Our own writes. */
  wrote(writes: readonly ScaleWrite[]): void {
    for (const write of writes) {
      const key = keyOf(write);
      const known = this.#known.get(key);
      if (known !== undefined) this.#known.set(key, { uid: known.uid, replicas: write.to });
    }
  }

  /** A write of ours that came back with an error. */
  tried(write: ScaleWrite): void {
    const key = keyOf(write);
    const known = this.#known.get(key);
    if (known !== undefined) this.#known.set(key, { ...known, tried: write.to });
  }

  /** Targets that are left alone now. */
  held(nowMs: number): readonly string[] {
    const held: string[] = [];
    for (const [target, untilMs] of this.#heldUntilMs) {
      if (untilMs > nowMs) held.push(target);
      else this.#heldUntilMs.delete(target);
    }
    return held;
  }
}
