// A Node service in an application of .NET Aspire, which tells it where the others are: `node examples/next-to-aspire/main.ts`
import { createServer, type Server } from "node:http";
import { envSource, joinMesh } from "heddle";

// What the app host sets in the environment of a service that it starts, where that `.WithReference(reviews)`; here two endpoints of it.
process.env.services__reviews__http__0 = "http://127.0.0.1:19098";
process.env.services__reviews__http__1 = "http://127.0.0.1:19099";

// Stand in for the reviews that Aspire would start. The second one has trouble.
const servers: readonly Server[] = [
  createServer((_request, response) => response.end("reviews by .NET")).listen(19098, "127.0.0.1"),
  createServer((_request, response) => response.writeHead(503).end()).listen(19099, "127.0.0.1"),
];
{
  await using mesh = await joinMesh({
    // Aspire says where, the document says how. With nothing to say about the how, no `config` is needed at all.
    config: [envSource(process.env), { apiVersion: "heddle/v1", services: { reviews: { timeout: "2s", retry: {} } } }],
  });
  // The same name that .NET services use: http://reviews.
  for (let call = 1; call <= 4; call++) console.log(await (await mesh.fetch("http://reviews/api/7")).text());
  for (const { part, source } of mesh.inspect().parts) console.log(`${part}: from ${source}`);
}
for (const server of servers) server.close();
