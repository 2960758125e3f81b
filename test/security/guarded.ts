import { connect } from "node:net";
import { createMesh, type Mesh, type MeshOptions } from "@heddle/core";
import { httpTransport, type Listener, listen, type Servable } from "@heddle/http";
import { onTestFinished } from "vitest";

/** The service `reviews` behind what its inbound document says, on loopback; it ends with the test. In plain text unless it is given an identity. */
export async function guarded(
  inbound: object,
  application: Servable,
  options: Partial<MeshOptions> = {},
): Promise<{ readonly mesh: Mesh; readonly listener: Listener }> {
  const config = { apiVersion: "heddle/v1", services: { reviews: { inbound } } };
  const mesh = createMesh({ service: "reviews", config, transport: httpTransport(), ...options });
  onTestFinished(() => mesh.close({ limit: 500 }));
  await mesh.ready();
  return { mesh, listener: await listen(mesh, application, { host: "127.0.0.1" }) };
}

/** Everything that is answered to these bytes (Latin-1) until the server closes; `text` has to make it do so. */
export async function answerTo(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => (received += chunk));
  socket.on("error", () => {});
  socket.write(text, "latin1");
  // Not `once`, which rejects where an error comes first.
  await new Promise((closed) => socket.once("close", closed));
  return received;
}

/** The same for a request line's target. */
export function answerToTarget(port: number, target: string, method = "GET"): Promise<string> {
  return answerTo(port, `${method} ${target} HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n`);
}

/** 0: none came. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
}
