import type { OpenVariant } from "../variant.ts";
import { stubMesh } from "./stub-mesh.ts";

export const open: OpenVariant = stubMesh(false);
