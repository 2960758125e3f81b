import type { OpenVariant } from "../variant.ts";
import { handWired } from "./hand-wired.ts";

/** As the three libraries' introductions show it: their defaults, every span sampled. */
export const open: OpenVariant = handWired({
  abortOnReturn: true,
  breaker: { errorThresholdPercentage: 50, resetTimeout: 10_000 },
  sampled: true,
});
