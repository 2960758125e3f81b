import { connect } from "node:net";
import type { Target } from "./finding.ts";

const LIMIT_MS = 1_000;

/** Opens a TCP connection, or one to a unix socket, and closes it again. Resolves with null, or why it could not within 1 s. */
export function tryToConnect(target: Target): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(target);
    const end = (why: string | null) => {
      socket.destroy();
      resolve(why);
    };
    socket.setTimeout(LIMIT_MS, () => end(`no connection within ${LIMIT_MS / 1_000} s`));
    socket.once("connect", () => end(null));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
