import { testEdits } from "./edits.ts";
import { grpc } from "./grpc.ts";

testEdits(grpc);
