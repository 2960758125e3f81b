export { type MeshMiddleware, type MeshMiddlewareOptions, meshMiddleware } from "./mesh-middleware.ts";
