/** What the generated runs really contained. */
export const WITNESSES = [
  "answers",
  "retries",
  "transparent retries",
  "budgets spent",
  "ejections",
  "breakers opened",
  "breaker refusals",
  "heads aborted",
  "bodies aborted",
  "bodies cut by a deadline",
  "bodies abandoned",
  "deadlines",
  "tries timed out",
  "overloads",
  "waits for an endpoint",
  "edits under requests",
  "endpoints removed under requests",
  "services removed under requests",
  "documents refused",
  "documents that changed nothing",
  "fallback answers",
  "fallback services",
  "local answers",
  "faults injected",
  "mirrored tries",
  "POSTs repeated with consent",
  "POSTs not repeated",
  "closes under requests",
  "protected runs repeated",
] as const;

export type Witness = (typeof WITNESSES)[number];

export type Coverage = Record<Witness, number>;

export function noCoverage(): Coverage {
  return Object.fromEntries(WITNESSES.map((witness) => [witness, 0])) as Coverage;
}

export function add(to: Coverage, more: Coverage): void {
  for (const witness of WITNESSES) to[witness] += more[witness];
}

/** In the usual number of runs each must have happened so often; the rarest are those that need several things to meet. */
const LEAST = 15;
const RARE: Partial<Record<Witness, number>> = {
  "budgets spent": 8,
  "POSTs repeated with consent": 5,
  "bodies cut by a deadline": 5,
  "bodies abandoned": 1,
  "services removed under requests": 3,
};

/** What did not happen often enough for the test to mean anything. */
export function missing(coverage: Coverage, share: number): readonly string[] {
  if (share < 1) return [];
  const least = (witness: Witness) => Math.floor((RARE[witness] ?? LEAST) * share);
  return WITNESSES.filter((witness) => coverage[witness] < least(witness)).map(
    (witness) => `${witness}: ${coverage[witness]}, expected at least ${least(witness)}`,
  );
}
