export { headersOf, metadataOf } from "./metadata.ts";
