/** A worker thread that serves nothing itself and says where its service is: the TCP target of undici-thread-interceptor. */
import { parentPort, workerData } from "node:worker_threads";
import { wire } from "./thread-interceptor.ts";

wire({ server: workerData as string, port: parentPort });
