import { throughGrpcMesh } from "./grpc-through-mesh.ts";

export const open = throughGrpcMesh(true);
