// Two servers and a caller that find each other through one document: `node examples/http-basic/main.ts`
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { joinMesh } from "heddle";

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));

// Servers join as the service they are. In earnest each is a process of its own.
await using serving = await joinMesh({ service: "greeter", config });
const first = (_request: IncomingMessage, response: ServerResponse) => response.end("hello from the first");
// The second one cannot answer: its requests are tried again at the first.
const second = (_request: IncomingMessage, response: ServerResponse) => response.writeHead(503).end();
await serving.listen(first, { port: 19081, host: "127.0.0.1" });
await serving.listen(second, { port: 19082, host: "127.0.0.1" });

// A caller needs no name, and knows no address.
await using mesh = await joinMesh({ config });
const greeter = mesh.service("greeter");
for (let call = 1; call <= 4; call++) {
  const reply = await greeter.get("/");
  const tries = mesh.report(reply)?.attempts.map(({ endpoint, outcome }) => `${endpoint}: ${outcome}`);
  console.log(`${reply.status} ${await reply.text()} (${tries?.join(", ")})`);
}
