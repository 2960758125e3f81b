import { type ClientOptions, credentials, type handleUnaryCall } from "@grpc/grpc-js";
import { joinMesh } from "heddle";
import { expect, test } from "vitest";
import { outcomeOf } from "../calls.ts";
import { TextClient } from "../text-service.ts";
import { serveText } from "./live.ts";

const echo: handleUnaryCall<string, string> = (call, callback) => callback(null, call.request);

test("the umbrella calls services of gRPC and of HTTP, each by its protocol, with reports", async () => {
  const texts = { protocol: "grpc" as const, endpoints: [{ address: await serveText({ unary: echo }) }] };
  const config = { apiVersion: "heddle/v1" as const, services: { texts } };
  await using mesh = await joinMesh({ config });
  const client = mesh.grpc(TextClient, "texts");
  let call: object | undefined;
  const { value } = await outcomeOf((callback) => {
    call = client.unary("hi", callback);
  });
  expect(value).toBe("hi");
  expect(mesh.report(call)).toMatchObject({ service: "texts", attempts: [{ outcome: "grpc:ok" }] });
  await expect(mesh.request("http://texts/")).rejects.toMatchObject({ code: "protocol_error" });
  client.close();
});

test("the umbrella makes clients of any generated class, and their options, with the types of the class", async () => {
  const config = { apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address: "127.0.0.1:1" }] } } };
  await using mesh = await joinMesh({ config });
  const options: Partial<ClientOptions> = mesh.grpcOptions();
  const one: TextClient = new TextClient("reviews", credentials.createInsecure(), options);
  const other: TextClient = mesh.grpc(TextClient, "reviews", { "grpc.max_receive_message_length": 100 });
  expect([one, other].map((client) => client.getChannel().getTarget())).toEqual(["reviews", "reviews"]);
  const override = { channelOverride: one.getChannel() };
  expect(() => mesh.grpc(TextClient, "reviews", override)).toThrow("grpc: channelOverride: the channel is the mesh's");
  // @ts-expect-error: the options are those of the class.
  expect(() => mesh.grpc(TextClient, "reviews", 5)).not.toThrow();
  one.close();
  other.close();
});
