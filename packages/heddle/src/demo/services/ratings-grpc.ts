import type { handleBidiStreamingCall, handleUnaryCall, Server } from "@grpc/grpc-js";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { RATINGS, type Rating } from "../grpc/ratings.ts";
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT } = process.env;

/** On grpc-js: how many stars each of a product's readers gave, asked once or over a stream. */
const mesh = await joinMesh({ service: "ratings", config: HEDDLE_CONFIG });
const rating = (product: string): Rating => ({ product, stars: [5, 4], pid: process.pid });

const get: handleUnaryCall<string, Rating> = ({ request }, answer) => answer(null, rating(request));
const watch: handleBidiStreamingCall<string, Rating> = (call) => {
  call.on("data", (product: string) => call.write(rating(product)));
  call.on("end", () => call.end());
};

const server = mesh.grpcServer<Server>();
server.addService(RATINGS, { Get: get, Watch: watch, Forget: get });
await mesh.listen(server, { port: Number(PORT), host: "127.0.0.1" });
// For so long its callers are told, and served, before it listens no more.
mesh.closeOn(["SIGTERM"], { drain: "300ms" });
tether(mesh);
