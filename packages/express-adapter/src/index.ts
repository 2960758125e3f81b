export { type MeshMiddleware, meshMiddleware } from "./mesh-middleware.ts";
