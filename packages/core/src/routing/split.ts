import type { Handler } from "../layer.ts";
import type { Random } from "../random.ts";

export interface Share {
  readonly weight: number;
  readonly handler: Handler;
}

/**
 * Sends each request to one of several backends, by weight. A request is given its share once: its retries stay there.
 * At least one weight must be above 0.
 */
export function split(shares: readonly Share[], random: Random): Handler {
  const taking = shares.filter((share) => share.weight > 0);
  const only = taking[0];
  if (only && taking.length === 1) return only.handler;
  const total = taking.reduce((sum, share) => sum + share.weight, 0);
  return (request) => {
    let point = random() * total;
    for (const share of taking) {
      point -= share.weight;
      if (point < 0) return share.handler(request);
    }
    // Rounding can leave a point at the very end.
    return (taking.at(-1) as Share).handler(request);
  };
}
