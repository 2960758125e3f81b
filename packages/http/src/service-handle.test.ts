import { meshError } from "@heddle/core";
import { expect, test } from "vitest";
import { echo, meshOf, serve } from "../test/front-doors.ts";
import { type ServiceCallOptions, serviceHandle } from "./service-handle.ts";

async function setup() {
  const server = await serve(echo);
  const mesh = await meshOf([server.address]);
  return { mesh, reviews: serviceHandle(mesh, "reviews") };
}

test("a call on a service is a path, and its reply has short ways to the body", async () => {
  const { reviews } = await setup();
  expect(await reviews.get("/api/7").json()).toMatchObject({ method: "GET", url: "/api/7", headers: { host: "reviews" } });
  expect(await reviews.post("/api", { json: { a: 1 } }).text()).toContain('"body":"{\\"a\\":1}"');
  expect((await reviews.put("/api", { body: "x" }).bytes()).length).toBeGreaterThan(0);
  expect((await reviews.patch("/api", { body: "x" })).status).toBe(200);
  expect((await reviews.delete("/api")).status).toBe(200);
  expect(await reviews.head("/api").text()).toBe("");
  expect(await reviews.request("/api", { method: "options" }).json()).toMatchObject({ method: "OPTIONS" });
});

test("takes what the mesh should do beside the message", async () => {
  const silent = await serve(() => {});
  const reviews = serviceHandle(await meshOf([silent.address]), "reviews");
  const error = await reviews.get("/", { timeout: "50ms", retry: false }).catch((thrown: unknown) => thrown);
  expect(meshError(error)?.code).toBe("deadline_exceeded");
});

test("an option that does not exist is refused with the nearest one", async () => {
  const { reviews } = await setup();
  await expect(reviews.get("/", { timeot: 1 } as ServiceCallOptions)).rejects.toThrow("timeot is not an option; did you mean timeout?");
});

test("escapes a path where it must be, and refuses what is none", async () => {
  const { reviews } = await setup();
  expect(await reviews.get("/a b/../c?q=\u00fc#part").json()).toMatchObject({ url: "/c?q=%C3%BC" });
  await expect(reviews.get("api")).rejects.toThrow("must start with /");
  expect(await reviews.get("//other.example/a").json()).toMatchObject({ url: "//other.example/a", headers: { host: "reviews" } });
});

test("a name that no service claims fails with unknown_service, though egress is allowed", async () => {
  const { mesh } = await setup();
  const error = await serviceHandle(mesh, "reveiws")
    .get("/")
    .catch((thrown: unknown) => thrown);
  expect(meshError(error)?.code).toBe("unknown_service");
});

test("what is not a name is refused at once", async () => {
  const { mesh } = await setup();
  for (const name of ["", "http://reviews", "a b"]) expect(() => serviceHandle(mesh, name)).toThrow(TypeError);
});

test("its functions can be passed on, and its fetch takes paths and URLs", async () => {
  const { reviews } = await setup();
  const { get, fetch } = reviews;
  expect((await get("/api/7")).status).toBe(200);
  expect(await (await fetch("/api/7")).json()).toMatchObject({ url: "/api/7" });
  expect(await (await fetch("http://reviews/api/8")).json()).toMatchObject({ url: "/api/8" });
});

test("a value that a call's option cannot have is refused", async () => {
  const { reviews } = await setup();
  const options = { retry: true } as unknown as { retry: false };
  await expect(reviews.get("/", options)).rejects.toThrow("mesh.retry: must be false");
});
