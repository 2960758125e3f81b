import { type ClientOptions, credentials } from "@grpc/grpc-js";
import { joinMesh } from "heddle";
import { expect, test } from "vitest";
import { TextClient } from "../text-service.ts";

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
