import { onTestFinished } from "vitest";

const CONCURRENCY = 32;

/** Callers that ask a service over and over, each as soon as it has its answer. */
export interface Traffic {
  readonly requests: number;
  /** What failed: how a request was rejected, or an answer that says so. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** `ask`: one request of the caller of this number; it resolves to what failed, and null where nothing did. Ends with the test. */
export function trafficOf(ask: (caller: number) => Promise<string | null>, ended: () => void = () => {}): Traffic {
  const failures: string[] = [];
  let requests = 0;
  let isStopped = false;
  const caller = async (name: number): Promise<void> => {
    for (; !isStopped; requests++) {
      const failure = await ask(name);
      if (failure !== null) failures.push(failure);
    }
  };
  const callers = Array.from({ length: CONCURRENCY }, (_, index) => caller(index));
  const stop = async () => {
    isStopped = true;
    await Promise.all(callers);
    ended();
  };
  onTestFinished(stop);
  return {
    get requests() {
      return requests;
    },
    failures,
    stop,
  };
}

/** A conversation that lasts: each text is sent once the one before came back. */
export interface Conversation {
  readonly echoed: number;
  /** Ends it, and gives what it ended with: null where nobody broke it before. */
  stop(): Promise<string | null>;
}
