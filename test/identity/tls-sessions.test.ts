import { createSecureContext, type SecureContextOptions } from "node:tls";
import { afterAll, describe, expect, test } from "vitest";
import { leafNow, rootNow, stateOf, workload } from "../../packages/core/test/workload.ts";
import { connect, connectPlainly, type Listening, listen } from "./handshake.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";
const API = "spiffe://shop.example/ns/shop/sa/api";
const shop = rootNow("shop root");
const roots = { "shop.example": [shop] };
const web = workload(stateOf([leafNow(shop, WEB)], roots));
const api = workload(stateOf([leafNow(shop, API)], roots));

const listening: Listening[] = [];
afterAll(async () => {
  await Promise.all(listening.map((server) => server.close()));
});

/** As a listener of ours, but with tickets. */
async function listenWithTickets(version: "TLSv1.2" | "TLSv1.3"): Promise<Listening> {
  const { pem, keyPem } = leafNow(shop, API);
  // With a certificate of the client's, OpenSSL resumes sessions of a named context alone.
  const context: SecureContextOptions = {
    cert: pem,
    key: keyPem,
    ca: [shop.pem],
    sessionIdContext: "x",
    minVersion: version,
    maxVersion: version,
  };
  const secureContext = createSecureContext(context);
  const server = await listen({
    ...api.server(),
    socketOptions: () => ({ ...api.server().socketOptions(), secureContext }),
  });
  listening.push(server);
  return server;
}

describe.each(["TLSv1.2", "TLSv1.3"] as const)("over %s", (version) => {
  const { pem, keyPem } = leafNow(shop, WEB);
  const client = { cert: pem, key: keyPem, minVersion: version, maxVersion: version };

  test("a client cannot resume a session with a listener, whatever it kept", async () => {
    const server = await listen(api.server());
    listening.push(server);
    const first = await connectPlainly(server.port, client);
    expect(first).toMatchObject({ said: "hello", isReused: false });
    for (let again = 0; again < 2; again++) {
      const { session } = first;
      expect(await connectPlainly(server.port, { ...client, ...(session && { session }) })).toMatchObject({
        said: "hello",
        isReused: false,
      });
      expect(await server.found()).toMatchObject({ peer: { spiffeId: WEB } });
    }
  });

  test("a resumed session is refused by a listener all the same", async () => {
    const server = await listenWithTickets(version);
    const first = await connectPlainly(server.port, client);
    expect(await server.found()).toMatchObject({ peer: { spiffeId: WEB } });
    if (first.session === null) throw new Error("this test needs a session to resume");
    const second = await connectPlainly(server.port, { ...client, session: first.session });
    expect([second.isReused, second.said]).toEqual([true, ""]);
    expect(await server.found()).toEqual({ refused: "it resumed a session, in which nobody proves who they are" });
  });

  test("a resumed session is refused by a client, although Node has nothing against it", async () => {
    const server = await listenWithTickets(version);
    const tls = web.client([API]);
    // Ours takes no tickets, so this is somebody's who changed it.
    const secureContext = createSecureContext({ ...client, ca: [shop.pem] });
    const { session } = await connectPlainly(server.port, { ...tls.connectOptions("web.example"), secureContext });
    if (session === null) throw new Error("this test needs a session to resume");
    const { said, error } = await connect(tls, server.port, { session, secureContext });
    expect([said, error?.message]).toEqual(["", "this side refused the server: it resumed a session, in which nobody proves who they are"]);
  });

  test("a client offers no session by itself", async () => {
    const server = await listenWithTickets(version);
    for (let again = 0; again < 3; again++)
      expect(await connect(web.client([API]), server.port)).toMatchObject({ said: "hello", error: null });
    expect(web.client([API]).connectOptions("web.example")).not.toHaveProperty("session");
  });
});
