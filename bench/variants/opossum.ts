import { createRequire } from "node:module";

/** The part of opossum that is used here; the package brings no types. */
export interface Opossum<Args extends readonly unknown[], Result> {
  fire(...args: Args): Promise<Result>;
  shutdown(): void;
}

export interface OpossumOptions {
  readonly timeout?: number | false;
  readonly errorThresholdPercentage?: number;
  readonly resetTimeout?: number;
  readonly volumeThreshold?: number;
  readonly rollingPercentilesEnabled?: boolean;
}

type OpossumClass = new <Args extends readonly unknown[], Result>(
  action: (...args: Args) => Promise<Result>,
  options: OpossumOptions,
) => Opossum<Args, Result>;

export const CircuitBreaker: OpossumClass = createRequire(import.meta.url)("opossum") as OpossumClass;
