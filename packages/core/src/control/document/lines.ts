/** Says in which line and column of a text an offset is, both counted from 1: `12:5`. */
export class Lines {
  readonly #starts: Int32Array;
  readonly #length: number;

  constructor(text: string) {
    let count = 1;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
    this.#starts = new Int32Array(count);
    let line = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#starts[++line] = at + 1;
    this.#length = text.length;
  }

  at(offset: number): string {
    const within = Math.min(offset, this.#length);
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= within) low = middle;
      else high = middle - 1;
    }
    return `${low + 1}:${within - (this.#starts[low] as number) + 1}`;
  }
}
