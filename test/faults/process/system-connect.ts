import type { Server } from "node:net";
import { onTestFinished } from "vitest";
import type { LoopbackServer } from "../../front-doors/setup.ts";

/** What libuv is called by beneath node:net. */
interface TcpHandle {
  connect(request: object, address: string, port: number): number;
}

/** As the system would answer: libuv's number for it. `SILENCE`: the connection is being made, and nothing more is heard of it. */
export const ERRNO = { EADDRNOTAVAIL: -99, EADDRINUSE: -98, ENOBUFS: -105, ENOMEM: -12, EMFILE: -24, ENFILE: -23, SILENCE: 0 } as const;

export interface SystemConnect {
  /** How often each port was tried. */
  readonly tried: Map<number, number>;
  end(): void;
}

/** From now on the system answers so to connections to these servers, until the test ends: everything above the system call is real. */
export function systemAnswers(code: keyof typeof ERRNO, servers: readonly [LoopbackServer, ...LoopbackServer[]]): SystemConnect {
  const { _handle } = servers[0].server as unknown as Server & { readonly _handle: TcpHandle };
  const prototype = Object.getPrototypeOf(_handle) as TcpHandle;
  const { connect } = prototype;
  const ports = new Set(servers.map(({ address }) => Number(address.split(":")[1])));
  const tried = new Map<number, number>();
  prototype.connect = function (request, address, port) {
    if (!ports.has(port)) return connect.call(this, request, address, port);
    tried.set(port, (tried.get(port) ?? 0) + 1);
    return ERRNO[code];
  };
  const end = () => {
    prototype.connect = connect;
  };
  onTestFinished(end);
  return { tried, end };
}

export function timesTried({ tried }: SystemConnect): number {
  return [...tried.values()].reduce((sum, count) => sum + count, 0);
}
