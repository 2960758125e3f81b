import { request } from "undici";
import type { OpenVariant } from "../variant.ts";
import { throughMesh } from "./mesh.ts";

export const open: OpenVariant = throughMesh(async (mesh, url) => {
  const { statusCode, body } = await request(url, { dispatcher: mesh.dispatcher });
  return { status: statusCode, bytes: await body.bytes() };
});
