// NestJS makes the gRPC client and the gRPC server; both are the mesh's: `node examples/nestjs-grpc/main.ts`
import "reflect-metadata";
import { fileURLToPath } from "node:url";
import type { ServerCredentials } from "@grpc/grpc-js";
import { Controller, Get, Inject, Module, Param } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { type ClientGrpc, ClientsModule, GrpcMethod, type MicroserviceOptions, Transport } from "@nestjs/microservices";
import { context, joinMesh } from "heddle";
import { firstValueFrom, type Observable } from "rxjs";

interface Price {
  readonly amount: number;
  readonly leftMs: number;
}

interface Prices {
  find(item: { readonly name: string }): Observable<Price>;
}

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));
const proto = { package: "shop", protoPath: fileURLToPath(new URL("prices.proto", import.meta.url)) };

class PricesController {
  find(): Price {
    return { amount: 12, leftMs: Math.ceil(context()?.remainingMs() ?? Number.NaN) };
  }
}

class ItemsController {
  readonly #client: ClientGrpc;

  constructor(client: ClientGrpc) {
    this.#client = client;
  }

  async find(name: string): Promise<unknown> {
    // No later than the caller of the shop waits.
    return { name, price: await firstValueFrom(this.#client.getService<Prices>("Prices").find({ name })) };
  }
}

class PricesModule {}
class ShopModule {}

await using pricesMesh = await joinMesh({ service: "prices", config });
await using shopMesh = await joinMesh({ service: "shop", config });
const server = { ...proto, url: "127.0.0.1:19121", credentials: pricesMesh.grpcServerCredentials<ServerCredentials>() };
const client = { ...proto, url: "prices", channelOptions: { ...shopMesh.grpcOptions() } };

// By hand, as Node runs this file as it stands and knows no decorators. With Nest's own build you write @GrpcMethod("Prices", "Find").
const methodOf = (prototype: object) => Object.getOwnPropertyDescriptor(prototype, "find") as TypedPropertyDescriptor<unknown>;
Controller()(PricesController);
GrpcMethod("Prices", "Find")(PricesController.prototype, "find", methodOf(PricesController.prototype));
Module({ controllers: [PricesController] })(PricesModule);
Controller("items")(ItemsController);
Inject("prices")(ItemsController, undefined, 0);
Get(":item")(ItemsController.prototype, "find", methodOf(ItemsController.prototype));
Param("item")(ItemsController.prototype, "find", 0);
const clients = ClientsModule.register([{ name: "prices", transport: Transport.GRPC, options: client }]);
Module({ imports: [clients], controllers: [ItemsController] })(ShopModule);

const prices = await NestFactory.createMicroservice<MicroserviceOptions>(PricesModule, {
  logger: ["error", "warn"],
  transport: Transport.GRPC,
  options: server,
});
await prices.listen();

const shop = await NestFactory.create(ShopModule, { logger: ["error", "warn"] });
shopMesh.attach(shop.getHttpServer());
await shop.listen(19120, "127.0.0.1");

await using mesh = await joinMesh({ config });
const { name, price } = await mesh.service("shop").get("/items/loom").json<{ name: string; price: Price }>();
console.log(`a ${name} costs ${price.amount}; prices had ${price.leftMs <= 2_000 ? "at most the 2 s of the caller" : "too long"}`);
const asked = shopMesh.inspect().counters.find(({ direction }) => direction === "outbound");
console.log(`shop asked ${asked?.service}: ${asked?.outcome}`);
console.log(`prices answered: ${pricesMesh.inspect().counters[0]?.outcome}`);
await shop.close();
await prices.close();
