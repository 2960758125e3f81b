import { ConsecutiveBreaker, circuitBreaker, ExponentialBackoff, handleAll, retry, TimeoutStrategy, timeout, wrap } from "cockatiel";
import type { OpenVariant } from "../variant.ts";
import { stubRequest } from "./stub-bare.ts";
import { readStub, stubSend } from "./stub-transport.ts";

/** cockatiel's `wrap(retry, breaker, timeout)` around the stub, as its introduction has it. */
export const open: OpenVariant = async ({ path }) => {
  const send = stubSend({ requests: 0, unsampled: 0 }, false);
  const request = stubRequest(path);
  const policy = wrap(
    retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff({ initialDelay: 25, maxDelay: 250 }) }),
    circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
    timeout(2_000, TimeoutStrategy.Cooperative),
  );
  return {
    isInstant: true,
    async call() {
      readStub(await policy.execute(() => send(request)));
    },
    async close() {},
  };
};
