import type { OpenVariant } from "../variant.ts";
import { throughMesh } from "./mesh.ts";
import { viaRequest } from "./mesh-request.ts";

export const open: OpenVariant = throughMesh(viaRequest, false);
