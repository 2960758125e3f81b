import type { ServerResponse } from "node:http";
import type { MeshResponse } from "@heddle/core";

/** Writes an answer that a layer of the mesh made. */
export function writeResponse(response: MeshResponse, target: ServerResponse): void {
  for (const [name, value] of Object.entries(response.headers)) if (value !== undefined) target.setHeader(name, value);
  target.writeHead(response.status);
  const { body } = response;
  if (target.req.method === "HEAD") {
    body.abandon(new Error("an answer to HEAD has no body"));
    target.end();
    return;
  }
  // Node keeps the head back until there is a body to send with it.
  if (!body.hasEnded) target.flushHeaders();
  target.on("drain", () => body.resume());
  target.on("close", () => body.abandon(new Error("the caller left before the response was complete")));
  body.attach({
    data: (chunk) => {
      if (!target.write(chunk)) body.pause();
    },
    end: () => target.end(),
    fail: () => target.destroy(),
  });
}
