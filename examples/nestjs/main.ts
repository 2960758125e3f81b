// A NestJS service whose server is attached to the mesh, and whose controller is given it: `node examples/nestjs/main.ts`
import "reflect-metadata";
import { fileURLToPath } from "node:url";
import { Controller, Get, Inject, Module, Param } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { type JoinedMesh, joinMesh } from "heddle";

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));
const MESH = Symbol("mesh");

class ItemsController {
  readonly #mesh: JoinedMesh;

  constructor(mesh: JoinedMesh) {
    this.#mesh = mesh;
  }

  find(item: string): Promise<unknown> {
    // No later than the caller of the shop waits.
    return this.#mesh.service("prices").get(`/prices/${item}`).json();
  }
}

class ShopModule {}

await using shopMesh = await joinMesh({ service: "shop", config });

// By hand, as Node runs this file as it stands and knows no decorators. With Nest's own build you write @Controller("items"), @Inject(MESH).
const find = Object.getOwnPropertyDescriptor(ItemsController.prototype, "find") as TypedPropertyDescriptor<unknown>;
Controller("items")(ItemsController);
Inject(MESH)(ItemsController, undefined, 0);
Get(":item")(ItemsController.prototype, "find", find);
Param("item")(ItemsController.prototype, "find", 0);
Module({ controllers: [ItemsController], providers: [{ provide: MESH, useValue: shopMesh }] })(ShopModule);

const app = await NestFactory.create(ShopModule, { logger: ["error", "warn"] });
shopMesh.attach(app.getHttpServer(), { health: {} }); // before every middleware, guard and interceptor
await app.listen(19100, "127.0.0.1");

await using pricesMesh = await joinMesh({ service: "prices", config });
await pricesMesh.listen(
  (request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ price: 12, leftMs: request.mesh.remainingMs() }));
  },
  { port: 19101, host: "127.0.0.1" },
);

await using mesh = await joinMesh({ config });
const { price, leftMs } = await mesh.service("shop").get("/items/loom").json<{ price: number; leftMs: number }>();
console.log(`a loom costs ${price}; prices had ${leftMs <= 2_000 ? "at most the 2 s of the caller" : "too long"}`);
const ready = await fetch("http://127.0.0.1:19100/readyz");
console.log(`ready: ${ready.status}`);
await app.close();
