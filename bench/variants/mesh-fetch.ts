import type { OpenVariant } from "../variant.ts";
import { throughMesh } from "./mesh.ts";

export const open: OpenVariant = throughMesh(async (mesh, url) => {
  const response = await mesh.fetch(url);
  return { status: response.status, bytes: await response.bytes() };
});
