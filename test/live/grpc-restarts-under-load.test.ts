import { grpc } from "./grpc.ts";
import { testRestarts } from "./restarts.ts";

testRestarts(grpc);
