import type { AddressInfo, Server } from "node:net";
import type { FromServer, ToServer } from "./server-process.ts";

/**
 * Lets a server listen on the port that its process was started for, and tells its test on demand what it counted. Returns the counts:
 * connections are counted here, requests by whoever answers them.
 */
export function serve(server: Server): { requests: number } {
  const counts = { opened: 0, closed: 0, requests: 0 };
  server.on("connection", (socket) => {
    counts.opened++;
    socket.once("close", () => counts.closed++);
  });
  const tell = (message: FromServer) => process.send?.(message);
  process.on("disconnect", () => process.exit(0));
  process.on("message", ({ kind }: ToServer) => {
    if (kind === "counts") tell({ kind: "counts", ...counts });
  });
  server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
    tell({ kind: "listening", port: (server.address() as AddressInfo).port });
  });
  return counts;
}
