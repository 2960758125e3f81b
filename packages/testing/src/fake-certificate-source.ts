import type { CertificateListener, CertificateSource, CertificateState, Problem } from "@heddle/core";

/** A certificate source with a handle: tells what it is told to. */
export interface FakeCertificateSource extends CertificateSource {
  /** The state from now on. Ends what was broken before. */
  update(state: CertificateState): void;
  /** Something is worth saying; nothing else changes. A text is an error of this source. */
  problem(problem: Problem | string): void;
  /** Something is wrong from now on, which whoever watches later hears too; the last state stays. */
  break(message: string): void;
  /** Nothing is wrong any more: tells the last state again. */
  mend(): void;
  /** Who watches now. */
  readonly watchers: number;
}

/** Without a first state it has no identity to tell until `update` is called. Tells everything synchronously. */
export function fakeCertificateSource(first?: CertificateState, name = "fake"): FakeCertificateSource {
  const listeners = new Set<CertificateListener>();
  let state = first;
  let broken: Problem | undefined;
  const problemOf = (message: string): Problem => ({ where: name, message, severity: "error" });
  const tellAll = (tell: (listener: CertificateListener) => void): void => {
    // One of them may close another.
    for (const listener of [...listeners]) if (listeners.has(listener)) tell(listener);
  };
  const update = (next: CertificateState): void => {
    state = next;
    broken = undefined;
    tellAll((listener) => listener.update(next));
  };
  return {
    name,
    update,
    get watchers() {
      return listeners.size;
    },
    watch(given) {
      // A set would count one listener that watches twice as one.
      const listener: CertificateListener = { update: (next) => given.update(next), problem: (problem) => given.problem(problem) };
      listeners.add(listener);
      if (state) listener.update(state);
      if (broken) listener.problem(broken);
      return () => {
        listeners.delete(listener);
      };
    },
    problem(given) {
      const problem = typeof given === "string" ? problemOf(given) : given;
      tellAll((listener) => listener.problem(problem));
    },
    break(message) {
      const problem = problemOf(message);
      broken = problem;
      tellAll((listener) => listener.problem(problem));
    },
    mend() {
      if (state) update(state);
      else broken = undefined;
    },
  };
}
