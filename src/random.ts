/** The Random port: seeded in simulations, unpredictable in production. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/**
 * A stream that is the same for the same seed on every machine.
 * Generator: sfc32 of the PractRand suite (C. Doty-Humphrey), seeded through splitmix32.
 */
export function seededRandom(seed: number): Random {
  let mixed = seed >>> 0;
  const mix = (): number => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = mix();
  let b = mix();
  let c = mix();
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) >>> 0) + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  return { next };
}

/** For production: jitter and name suffixes that two processes never share. */
export function systemRandom(): Random {
  return { next: () => Math.random() };
}

/** A seed that a run can print so that it can be repeated. */
export function freshSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
