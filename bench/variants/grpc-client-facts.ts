import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { TOTAL_MS } from "../document.ts";
import { type ReviewsClient, statusOf } from "../grpc-service.ts";
import type { Fact } from "../protocol.ts";
import { OUTLIERS } from "./grpc-service-config.ts";

/** Of three servers in turn, a third of these meet the one that fails: twice as many are too few for an ejection. */
const FEW = 12;
/** Enough for one. */
const MANY = 60;
/** For the ejection: it comes at the end of an interval that has seen enough. */
const MOST_BATCHES = 10;
const DEADLINE_EXCEEDED = 4;

/** Checks from the answers alone, as grpc-js has nothing to ask, that retry, outlier detection and deadline act. */
export async function grpcClientFacts(client: ReviewsClient): Promise<readonly Fact[]> {
  return [await retryFact(client), await outlierFact(client), await deadlineFact(client)];
}

async function failuresAmong(probes: number, client: ReviewsClient, path: string): Promise<number> {
  let failures = 0;
  for (let probe = 0; probe < probes; probe++) if ((await statusOf(client, path)) !== 0) failures++;
  return failures;
}

async function retryFact(client: ReviewsClient): Promise<Fact> {
  // The two show together that the failing server was asked, and that nobody saw it.
  const failures = await failuresAmong(FEW, client, "/probe/flaky");
  const sour = await failuresAmong(FEW, client, "/probe/sour");
  return {
    name: "retry: a server that answers UNAVAILABLE is not noticed",
    holds: failures === 0 && sour > 0,
    seen: `${failures} of ${FEW} failed; ${sour} where the server answers what is not retried`,
  };
}

async function outlierFact(client: ReviewsClient): Promise<Fact> {
  let failures = MANY;
  for (let batch = 0; batch < MOST_BATCHES && failures > 0; batch++) {
    failures = await failuresAmong(MANY, client, "/probe/sour");
    if (failures > 0) await wait(OUTLIERS.intervalSeconds * 500);
  }
  return {
    name: "outlier detection: of three servers, the one that fails is ejected",
    holds: failures === 0,
    seen: `${failures} of the last ${MANY} failed`,
  };
}

async function deadlineFact(client: ReviewsClient): Promise<Fact> {
  const startedAt = performance.now();
  const status = await statusOf(client, "/probe/hang");
  const elapsedMs = Math.round(performance.now() - startedAt);
  return {
    name: "deadline: a server that never answers is given up in time",
    holds: status === DEADLINE_EXCEEDED && elapsedMs >= TOTAL_MS - 50 && elapsedMs < TOTAL_MS + 1_000,
    seen: `status ${status} after ${elapsedMs} ms`,
  };
}
