export { open } from "./mesh-request.ts";
