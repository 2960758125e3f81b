// Endpoints from a registry of one's own, policies from a document beside it: `node examples/own-source/main.ts`
import { createServer, type RequestListener, type Server } from "node:http";
import { joinMesh } from "heddle";
import { type Registry, registrySource } from "./registry-source.ts";

const servers: Server[] = [];
async function serve(port: number, listener: RequestListener): Promise<void> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
}

await serve(19091, (_request, response) => response.end("the first"));
await serve(19092, (_request, response) => response.end("the second"));
let registry: Registry = { greeter: ["127.0.0.1:19091"] };
await serve(19093, (_request, response) => response.end(JSON.stringify(registry)));

let changed = Promise.withResolvers<void>();
{
  await using mesh = await joinMesh({
    // Later sources win part by part: the document says nothing about endpoints, and the registry nothing about time.
    config: [
      registrySource(async () => (await fetch("http://127.0.0.1:19093/")).json() as Promise<Registry>),
      { apiVersion: "heddle/v1", services: { greeter: { timeout: "2s", retry: {} } } },
    ],
    onChange: () => changed.resolve(),
  });
  const greeter = mesh.service("greeter");
  console.log(await greeter.get("/").text());

  changed = Promise.withResolvers();
  registry = { greeter: ["127.0.0.1:19092"] };
  await changed.promise;
  console.log(await greeter.get("/").text());

  for (const { part, source } of mesh.inspect().parts) console.log(`${part}: from ${source}`);
}
for (const server of servers) server.close();
