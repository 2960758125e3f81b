const WINDOW_MS = 10_000;
/** The mesh counts in steps of a second: of the window it may have forgotten up to one. */
const CERTAIN_MS = 9_000;

interface Entry {
  readonly at: number;
  readonly amount: number;
}

/**
 * The retry budget as docs/retry.md promises it, kept apart from the mesh's own: whatever was withdrawn in the last 9 s is at most the
 * share of the requests of the last 10 s, and the reserve. Entries of one key must come in the order of time.
 */
export class BudgetBook {
  readonly #deposits = new Map<string, Entry[]>();
  readonly #withdrawals = new Map<string, Entry[]>();
  #violations: string[] = [];

  deposit(key: string, at: number, percent: number): void {
    entriesOf(this.#deposits, key).push({ at, amount: percent / 100 });
  }

  withdraw(key: string, at: number, reserve: number, who: string): void {
    const withdrawals = entriesOf(this.#withdrawals, key);
    withdrawals.push({ at, amount: 1 });
    const spent = sumSince(withdrawals, at - CERTAIN_MS, at);
    const allowed = reserve + sumSince(entriesOf(this.#deposits, key), at - WINDOW_MS, at);
    if (spent > allowed + 1e-6) this.#violations.push(`${who}: ${spent} retries of ${key} at ${at} ms, the budget allows ${allowed}`);
  }

  takeViolations(): readonly string[] {
    const violations = this.#violations;
    this.#violations = [];
    return violations;
  }
}

function entriesOf(map: Map<string, Entry[]>, key: string): Entry[] {
  let entries = map.get(key);
  if (!entries) {
    entries = [];
    map.set(key, entries);
  }
  return entries;
}

function sumSince(entries: readonly Entry[], since: number, until: number): number {
  return entries.reduce((sum, { at, amount }) => (at > since && at <= until ? sum + amount : sum), 0);
}
