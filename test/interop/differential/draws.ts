/** Chance that repeats: the same seed draws the same (mulberry32). */
export class Draws {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** True so often, of 1. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  /** Both ends included. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  one<Value>(values: readonly Value[]): Value {
    if (values.length === 0) throw new RangeError("nothing to draw from");
    // What is drawn may be undefined.
    return values[this.integer(0, values.length - 1)] as Value;
  }

  /** By weight. */
  weighted<Value>(choices: readonly (readonly [weight: number, value: Value])[]): Value {
    let rest = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of choices) {
      rest -= weight;
      if (rest < 0) return value;
    }
    return this.one(choices)[1];
  }

  times<Value>(from: number, to: number, make: () => Value): Value[] {
    return Array.from({ length: this.integer(from, to) }, make);
  }

  /** A generator of its own, so that what it draws moves nothing that is drawn after it. */
  branch(): Draws {
    return new Draws(Math.floor(this.next() * 4_294_967_296));
  }
}
