import type { TransportHarness } from "./contract/transport-harness.ts";
import { type FakeTransport, fakeTransport } from "./fake-transport.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** The fake transport under its own contract; what a broken variant of it starts from. */
export function fakeTransportHarness(): TransportHarness & { readonly transport: FakeTransport; readonly clock: VirtualClock } {
  const clock = virtualClock();
  const transport = fakeTransport({ clock });
  const endpoint = transport.endpoint("127.0.0.1:9081");
  return {
    clock,
    transport,
    endpoint: {
      address: endpoint.address,
      requests: endpoint.requests,
      answer: async (answer) => void endpoint.restore().respond(answer),
      refuse: async () => void endpoint.restore().refuse(),
      reset: async (after) => void endpoint.restore().reset({ after }),
      hang: async (at) => void endpoint.restore().hang({ at }),
      garbage: async () => void endpoint.restore().garbage(),
    },
    pass: (ms) => clock.advance(ms),
    close: async () => {},
  };
}
