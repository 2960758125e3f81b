// A gRPC service and its client, generated of ratings.proto, by mutual TLS: `node examples/grpc/main.ts`
import { fileURLToPath } from "node:url";
import { type Client, type handleUnaryCall, loadPackageDefinition, type Server, type ServiceError, status } from "@grpc/grpc-js";
import { load } from "@grpc/proto-loader";
import { context, identity, joinMesh } from "heddle";

interface Rating {
  readonly stars: readonly number[];
  readonly by: string;
}

type Get = (product: { readonly id: string }, answered: (error: ServiceError | null, rating?: Rating) => void) => object;
type RatingsClient = Client & { readonly Get: Get; readonly Forget: Get };

const proto = loadPackageDefinition(await load(fileURLToPath(new URL("ratings.proto", import.meta.url))));
// What is loaded at run time has no types; those of ts-proto, or of proto-loader-gen-types, make this line unnecessary.
const { Ratings } = proto.shop as unknown as { Ratings: { new (address: string, credentials: never): RatingsClient; service: never } };

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));
const dev = identity.dev({ dir: fileURLToPath(new URL(".heddle/ca", import.meta.url)) });

// Two servers. In earnest each is a process of its own.
await using serving = await joinMesh({ service: "ratings", config, identity: dev });
const first: handleUnaryCall<unknown, Rating> = (_call, answer) =>
  answer(null, { stars: [5, 4], by: `the first, for ${context()?.peer?.spiffeId}` });
// The second one cannot answer: its calls are tried again at the first.
const second: handleUnaryCall<unknown, Rating> = (_call, answer) => answer({ code: status.UNAVAILABLE });
for (const [port, get] of [
  [19110, first],
  [19111, second],
] as const) {
  const server = serving.grpcServer<Server>(); // without the mesh: new Server()
  server.addService(Ratings.service, { Get: get, Forget: get });
  await serving.listen(server, { port, host: "127.0.0.1" }); // without the mesh: server.bindAsync(...)
}

// A caller knows no address, and says who it is.
await using mesh = await joinMesh({ service: "web", config, identity: dev });
const ratings = mesh.grpc(Ratings, "ratings"); // without the mesh: new Ratings("127.0.0.1:19110", credentials)

for (let call = 1; call <= 4; call++) {
  const answered = Promise.withResolvers<Rating>();
  const begun = ratings.Get({ id: "7" }, (error, rating) => (rating ? answered.resolve(rating) : answered.reject(error)));
  const { stars, by } = await answered.promise;
  const tries = mesh.report(begun)?.attempts.map(({ endpoint, outcome }) => `${endpoint}: ${outcome}`);
  console.log(`${stars.join(", ")} stars by ${by} (${tries?.join(", ")})`);
}

// What the document does not allow, ratings refuses.
const refused = await new Promise<ServiceError | null>((resolve) => void ratings.Forget({ id: "7" }, resolve));
console.log(`Forget: ${status[refused?.code ?? status.OK]} ${refused?.details}`);
ratings.close();
