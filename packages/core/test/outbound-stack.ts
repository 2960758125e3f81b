import { DataPlane } from "../src/data-plane.ts";
import { Deadlines } from "../src/deadlines.ts";
import { Channels } from "../src/endpoint/channels.ts";
import { Extensions } from "../src/extensions.ts";
import type { Layer } from "../src/layer.ts";
import type { MeshRequest, MeshResponse } from "../src/message.ts";
import type { MeshSnapshot } from "../src/model/snapshot.ts";
import { type Random, seededRandom } from "../src/random.ts";
import { Waits } from "../src/waits.ts";
import { type RequestParts, requestOf, snapshotOf } from "./builders.ts";
import { type FakeTransport, fakeTransport } from "./fake-transport.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

export interface OutboundStack {
  readonly clock: VirtualClock;
  readonly transport: FakeTransport;
  readonly deadlines: Deadlines;
  readonly channels: Channels;
  readonly dataPlane: DataPlane;
  /** `GET http://reviews/` unless told otherwise; its response, and the request itself, to look at its context. */
  send(parts?: RequestParts): { readonly request: MeshRequest; readonly response: Promise<MeshResponse> };
}

const pass: Layer = (next) => next;

/** Everything from the virtual host down to a fake transport, in virtual time; no telemetry. */
export function outboundStack(snapshot: MeshSnapshot = snapshotOf(), random: Random = seededRandom(1)): OutboundStack {
  const clock = virtualClock();
  const transport = fakeTransport();
  const deadlines = new Deadlines(clock);
  const channels = new Channels(transport, clock, random);
  const outbound = { clock, deadlines, random, accessLog: null, metrics: pass, span: pass, waits: new Waits() };
  const dataPlane = new DataPlane(snapshot, {
    clock,
    random,
    channels,
    extensions: new Extensions(),
    report() {},
    clientTls: () => null,
    outbound,
  });
  return {
    clock,
    transport,
    deadlines,
    channels,
    dataPlane,
    send(parts = {}) {
      const request = requestOf({ startedAt: clock.now(), ...parts });
      const handler = dataPlane.handler(request.authority);
      if (handler === null) throw new Error(`nothing claims ${request.authority}`);
      const response = handler(request);
      // A test that looks at the failure later still sees it.
      response.catch(() => {});
      return { request, response };
    },
  };
}
