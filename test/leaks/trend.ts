export interface Sample {
  readonly at: number;
  readonly value: number;
}

export interface Trend {
  /** Of the least-squares line: how much `value` grows for each unit of `at`. */
  readonly slope: number;
  /** Standard error of the slope. */
  readonly error: number;
}

/** A line through all samples: two points alone would say whatever the garbage collector did between them. */
export function trendOf(samples: readonly Sample[]): Trend {
  const count = samples.length;
  if (count < 3) throw new TypeError(`a trend needs 3 samples or more, not ${count}`);
  const meanAt = mean(samples.map(({ at }) => at));
  const meanValue = mean(samples.map(({ value }) => value));
  const spread = sum(samples.map(({ at }) => (at - meanAt) ** 2));
  if (spread === 0) throw new TypeError("a trend needs samples at different times");
  const slope = sum(samples.map(({ at, value }) => (at - meanAt) * (value - meanValue))) / spread;
  const rest = sum(samples.map(({ at, value }) => (value - meanValue - slope * (at - meanAt)) ** 2));
  return { slope, error: Math.sqrt(rest / (count - 2) / spread) };
}

/** Without the first part, in which code is compiled and buffers find their size. */
export function afterWarmUp<Taken>(samples: readonly Taken[], share = 0.25): readonly Taken[] {
  return samples.slice(Math.floor(samples.length * share));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
