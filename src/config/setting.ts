/** One thing that `run` can be told. */

/** Turns what a person wrote into a value. Throws text that completes "<where>: ". */
export type Parse<T> = (given: unknown) => T;

export interface Setting<T> {
  /** Dotted path in the config file; absent for secrets, which that file does not hold. */
  readonly file?: string;
  /** As commander wants it: `--redis-url <url>`, `--no-leader-elect`; absent for secrets, which every process can read on a command line. */
  readonly flag?: string;
  readonly env: string;
  readonly about: string;
  readonly fallback: T;
  readonly parse: Parse<T>;
  /** May be given several times; the texts are joined by commas. */
  readonly isRepeatable?: boolean;
}

type Public<T> = Setting<T> & { readonly file: string; readonly flag: string };
export const setting = <T>(one: Public<T>): Public<T> => one;
export const secretSetting = <T>(one: Setting<T>): Setting<T> => one;
