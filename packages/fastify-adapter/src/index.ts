export { type MeshPlugin, meshPlugin } from "./mesh-plugin.ts";
