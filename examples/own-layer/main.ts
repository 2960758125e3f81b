// Layers of the application's own, which the document takes by name, on the way out and on the way in: `node examples/own-layer/main.ts`
import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { copyHeaders, derive, headerValue, joinMesh, type LayerFactory, localResponse } from "heddle";

const tenant = new AsyncLocalStorage<string>();

// What the document says under `with` is plain data: read it once, and complain there.
const tenantHeader: LayerFactory = (settings) => {
  const { header } = settings as { header?: string };
  if (typeof header !== "string") throw new TypeError("with.header is missing");
  return (next) => (request) => {
    const headers = copyHeaders(request.headers);
    headers[header] = tenant.getStore() ?? "nobody";
    return next(derive(request, { headers }));
  };
};

const onlyTenants: LayerFactory = (settings) => {
  const { header, known } = settings as { header: string; known: readonly string[] };
  return (next) => async (request) => {
    const caller = headerValue(request.headers, header) ?? "";
    return known.includes(caller) ? next(request) : localResponse(403, `${caller} is no tenant`);
  };
};

const namedLayers = { "tenant-header": tenantHeader, "only-tenants": onlyTenants };
const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));

await using serving = await joinMesh({ service: "orders", config, namedLayers });
const orders = (request: IncomingMessage, response: ServerResponse) => response.end(`an order of ${request.headers["x-tenant"]}`);
await serving.listen(orders, { port: 19095, host: "127.0.0.1" });

await using mesh = await joinMesh({ config, namedLayers });
for (const name of ["acme", "mallory"]) {
  const reply = await tenant.run(name, () => mesh.service("orders").get("/"));
  console.log(`${reply.status} ${await reply.text()}`);
}
