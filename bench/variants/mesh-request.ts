import type { OpenVariant } from "../variant.ts";
import { type FrontDoor, throughMesh } from "./mesh.ts";

export const viaRequest: FrontDoor = async (mesh, url) => {
  const reply = await mesh.request(url);
  return { status: reply.status, bytes: await reply.bytes() };
};

export const open: OpenVariant = throughMesh(viaRequest);
