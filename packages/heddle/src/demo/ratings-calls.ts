import { type Fleet, requestsOf } from "./fleet.ts";

const CALLERS = ["reviews-v1-1", "reviews-v1-2", "reviews-v2-1"];

export interface RatingsCalls {
  readonly calls: number;
  readonly failed: number;
}

/** How the calls of all reviews to ratings have ended, whichever protocol they speak, counted since each process began. */
export async function ratingsCalls(fleet: Fleet): Promise<RatingsCalls> {
  const counters = await Promise.all(CALLERS.map((name) => fleet.counters(name, "outbound")));
  const calls = counters.flat().filter(({ service }) => service === "ratings");
  const failed = calls.filter(({ outcome }) => outcome !== "grpc:ok" && outcome !== "200");
  return { calls: requestsOf(calls), failed: requestsOf(failed) };
}

export function since(before: RatingsCalls, now: RatingsCalls): RatingsCalls {
  return { calls: now.calls - before.calls, failed: now.failed - before.failed };
}
