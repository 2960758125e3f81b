/** Why each package of others that a published package names is worth having: what for, and why not written here. */
export const REASONS: Readonly<Record<string, string>> = {
  "@grpc/grpc-js":
    "Speaks gRPC: the clients and servers of the application, half of the demo, and the agent of the SPIFFE Workload API. A peer, so that only who has gRPC or such an agent installs it.",
  "@opentelemetry/api":
    "Spans, metrics and the context of the tracing that the application has. A peer, since two copies of it do not see each other; `heddle` brings one that SDK 2 takes.",
  asn1js:
    "Writes the certificates of the development authority, and reads requests for them. What builds certificates upon it patches globals (`@peculiar/asn1-*` by `tslib`, `pkijs`); it does not.",
  cockatiel: "Policies that an application already has may stand in the place of the mesh's own. The mesh calls what it is given.",
  express: "Serves half of the demo, where it is installed. The adapter and `mesh.listen(app)` take your own copy and load none.",
  fastify: "Serves half of the demo, where it is installed; the adapter has its types. The plugin runs in your own copy and loads none.",
  jose: "Verifies the signatures of tokens. Without dependencies, over the cryptography of Node itself.",
  "light-my-request": "Calls a `node:http` handler without a socket, so that servers are tested in virtual time.",
  opossum: "`engine: opossum` in a document, and breakers that an application already has.",
  pino: "Writes the access log. Fast, and what an application most often logs with, whose instance may be given.",
  re2js: "Regular expressions of documents, in time linear in the input: the engine of JavaScript can be held up by one request.",
  undici: "Connections, HTTP/1.1 and HTTP/2 below the mesh, and the dispatcher that the built-in fetch takes.",
  yaml: "Reads documents, and says line and column of what is wrong in them.",
};
