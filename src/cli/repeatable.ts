/** For options that may be given several times: all values, in order. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
