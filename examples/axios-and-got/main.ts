// Clients that applications have already, through the mesh: `node examples/axios-and-got/main.ts`
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import axios from "axios";
import got from "got";
import { joinMesh } from "heddle";

// Two servers that know nothing of the mesh.
const servers = [19091, 19092].map((port) =>
  createServer((request, response) => response.end(`${port} serves ${request.headers.host}`)).listen(port, "127.0.0.1"),
);

await using mesh = await joinMesh({ config: fileURLToPath(new URL("mesh.yaml", import.meta.url)) });

// Given an agent, each takes its endpoint from the mesh, for every request.
const client = axios.create({ httpAgent: mesh.agent() });
const answers = [await client.get("http://greeter/"), await client.get("http://greeter/")];
console.log(
  `axios: ${answers
    .map(({ data }) => data)
    .sort()
    .join(", ")}`,
);
console.log(`got: ${await got("http://greeter/", { agent: { http: mesh.agent() } }).text()}`);

// Or given nothing at all, once the mesh is installed in the process.
{
  using _ = mesh.install();
  console.log(`axios, installed: ${(await axios.get("http://greeter/")).status}`);
  console.log(`fetch, installed: ${(await fetch("http://greeter/")).status}`);
}

for (const server of servers) {
  server.closeAllConnections();
  server.close();
}
