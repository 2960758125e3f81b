import { credentials, status } from "@grpc/grpc-js";
import { testMesh } from "@heddle/testing";
import { expect, test } from "vitest";
import { outcomeOf } from "../grpc/calls.ts";
import { TextClient } from "../grpc/text-service.ts";

const ONE = "127.0.0.1:9081";
const TWO = "127.0.0.1:9082";

const document = {
  apiVersion: "heddle/v1",
  services: {
    texts: { protocol: "grpc", endpoints: [{ address: ONE }, { address: TWO }], timeout: "2s", retry: { on: ["grpc:unavailable"] } },
    web: { endpoints: [{ address: "127.0.0.1:9083" }] },
  },
};

test("a generated client calls through a test mesh in virtual time, and its report and tries are there", async () => {
  await using t = testMesh({ config: document });
  t.grpcEndpoint(ONE).answer({ status: status.UNAVAILABLE });
  t.grpcEndpoint(TWO).answer({ messages: ["later"], delay: "1500ms" });
  const client = t.grpc(TextClient, "texts");
  const outcome = outcomeOf((done) => client.unary("now", done));
  await t.advance("2s");
  expect(await outcome).toMatchObject({ code: status.OK, value: "later" });
  expect(t.attempts("texts").at(-1)).toMatchObject({ endpoint: TWO, outcome: "grpc:ok" });
});

test("what grpcOptions gives makes a client of the code under test one of the mesh, whose deadlines are in virtual time", async () => {
  await using t = testMesh({ config: document });
  for (const address of [ONE, TWO]) t.grpcEndpoint(address).hang();
  const client = new TextClient("texts", credentials.createInsecure(), t.grpcOptions());
  const deadline = t.clock.wallTime() + 500;
  const outcome = outcomeOf((done) => client.unary("x", { deadline }, done));
  await t.advance("499ms");
  expect(t.attempts().map(({ outcome: of }) => of)).toEqual(["pending"]);
  await t.advance("1ms");
  expect(await outcome).toMatchObject({ code: status.DEADLINE_EXCEEDED });
});

test("a handle of the wrong protocol is refused: what it is told nobody would ever see", async () => {
  await using t = testMesh({ config: document });
  expect(() => t.endpoint(ONE)).toThrow(`endpoint: ${ONE} speaks gRPC; its handle is t.grpcEndpoint("${ONE}").`);
  expect(() => t.grpcEndpoint("127.0.0.1:9083")).toThrow(/speaks HTTP; its handle is t.endpoint/);
  expect(() => t.grpcEndpoint("127.0.0.1:9084")).toThrow(/the configuration has no endpoint "127.0.0.1:9084"/);
});
