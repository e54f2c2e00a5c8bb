/**
 * Splits a byte stream into JSON documents at newlines, the framing of a Kubernetes watch.
 * One `JSON.parse` per document; whole lines are not copied. A line that is not JSON throws, it is never skipped.
 */
export class LineJson {
  #rest: Buffer[] = [];
  readonly #onDocument: (document: unknown) => void;

  constructor(onDocument: (document: unknown) => void) {
    this.#onDocument = onDocument;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let newline = chunk.indexOf(10); newline !== -1; newline = chunk.indexOf(10, start)) {
      const tail = chunk.subarray(start, newline);
      start = newline + 1;
      if (this.#rest.length === 0) {
        this.#emit(tail);
      } else {
        const line = Buffer.concat([...this.#rest, tail]);
        this.#rest = [];
        this.#emit(line);
      }
    }
    if (start < chunk.length) this.#rest.push(chunk.subarray(start));
  }

  #emit(line: Buffer): void {
    if (line.length > 0) this.#onDocument(JSON.parse(line.toString("utf8")));
  }
}
