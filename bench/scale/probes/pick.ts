import { createMesh, seededRandom, systemClock } from "@heddle/core";
import type { BackendState } from "../../../packages/core/dist/backend-state.js";
import type { Attempt } from "../../../packages/core/dist/context.js";
import type { Channels } from "../../../packages/core/dist/endpoint/channels.js";
import type { Extensions } from "../../../packages/core/dist/extensions.js";
import { classBeside } from "../../../scripts/bundle/class-beside.ts";
import { stubTransport } from "../../variants/stub-transport.ts";
import type { OpenProbe } from "../probe.ts";
import { documentOf, endpoints, SERVICE, snapshotOf, withEndpoints } from "./generated.ts";

export interface PickParameters {
  readonly policy: string;
  readonly endpoints: number;
  /** How many of them are ejected. */
  readonly ejected: number;
}

const PICKS_A_BATCH = 20_000;
const FAILURES_TO_EJECT = 5;
const SEED = 7;

/**
 * A pick as the end of the stack makes it: the endpoints that may be picked, then the balancer's choice. Every endpoint has a latency,
 * one in ten a request in flight, and time goes on, so that nothing of a pick's work is spared.
 */
export const open: OpenProbe<PickParameters> = async ({ parameters }) => {
  const random = seededRandom(SEED);
  const state = backendState(parameters, random);
  const tries = [{ endpoint: "" } as Attempt];
  let now = systemClock.now();
  for (const one of state.endpoints.all) {
    state.balancer.succeeded?.(one, 1 + random() * 4, now);
    if (random() < 0.1) one.begin(now);
  }
  const candidates = state.endpoints.candidates(now, tries);
  if (candidates.length !== parameters.endpoints - parameters.ejected) throw new Error(`${candidates.length} endpoints may be picked`);

  let seen = 0;
  const batch = (): void => {
    for (let pick = 0; pick < PICKS_A_BATCH; pick++) {
      now += 0.01;
      seen += state.balancer.pick(state.endpoints.candidates(now, tries), tries, now).inFlight;
    }
  };
  return {
    async round(durationMs) {
      const endsAt = performance.now() + durationMs;
      const before = process.cpuUsage();
      let picks = 0;
      do {
        batch();
        picks += PICKS_A_BATCH;
      } while (performance.now() < endsAt);
      const { user, system } = process.cpuUsage(before);
      if (Number.isNaN(seen)) throw new Error("what was picked is no endpoint");
      return { pick: (user + system) / picks };
    },
    async close() {},
  };
};

function backendState({ policy, endpoints: count, ejected }: PickParameters, random: () => number): BackendState {
  const snapshot = withEndpoints(snapshotOf(documentOf({ balancer: { policy } })), endpoints(count));
  const backend = snapshot.backends.get(SERVICE);
  if (!backend) throw new Error(`the snapshot has no backend ${SERVICE}`);
  const BackendStateClass = classBeside<typeof BackendState>(createMesh, "BackendState");
  const ChannelsClass = classBeside<typeof Channels>(createMesh, "Channels");
  const ExtensionsClass = classBeside<typeof Extensions>(createMesh, "Extensions");
  const state = new BackendStateClass(backend, snapshot.endpointSets.get(SERVICE) ?? null, {
    clock: systemClock,
    random,
    channels: new ChannelsClass(stubTransport(), systemClock, random),
    extensions: new ExtensionsClass(),
    clientTls: () => null,
    report(problem) {
      throw new Error(problem.message);
    },
  });
  const now = systemClock.now();
  const step = Math.floor(count / Math.max(1, ejected));
  for (let number = 0; number < ejected; number++) {
    const one = state.endpoints.all[number * step];
    if (!one) throw new Error(`there is no endpoint ${number * step}`);
    for (let failure = 0; failure < FAILURES_TO_EJECT; failure++) state.endpoints.record(one, { isFailure: true, startedAt: now, now });
  }
  return state;
}
