export { httpTransport } from "./undici-transport.ts";
