// Two servers and a caller that find each other through one document, and speak mutual TLS: `node examples/http-basic/main.ts`
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { identity, joinMesh } from "heddle";

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));
// An authority of this machine's own, made on first use: every process that may read the folder gets a certificate. Not for production.
const dev = identity.dev({ dir: fileURLToPath(new URL(".heddle/ca", import.meta.url)) });

// Servers join as the service they are. In earnest each is a process of its own.
await using serving = await joinMesh({ service: "greeter", config, identity: dev });
const first = (request: IncomingMessage, response: ServerResponse) => response.end(`hello ${request.mesh.peer?.spiffeId}, from the first`);
// The second one cannot answer: its requests are tried again at the first.
const second = (_request: IncomingMessage, response: ServerResponse) => response.writeHead(503).end();
await serving.listen(first, { port: 19081, host: "127.0.0.1" });
await serving.listen(second, { port: 19082, host: "127.0.0.1" });

// A caller knows no address, and says who it is.
await using mesh = await joinMesh({ service: "web", config, identity: dev });
const greeter = mesh.service("greeter");
for (let call = 1; call <= 4; call++) {
  const reply = await greeter.get("/hello");
  const tries = mesh.report(reply)?.attempts.map(({ endpoint, outcome }) => `${endpoint}: ${outcome}`);
  console.log(`${reply.status} ${await reply.text()} (${tries?.join(", ")})`);
}

// What the document does not allow, greeter refuses; and without a certificate, everything.
const refused = await greeter.delete("/hello");
console.log(`DELETE: ${refused.status} ${await refused.text()}`);
const plain = await fetch("http://127.0.0.1:19081/hello");
console.log(`in plain text: ${plain.status} ${plain.headers.get("x-heddle-error")}`);
