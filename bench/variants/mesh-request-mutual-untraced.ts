export { open } from "./mesh-request-untraced.ts";
