import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

const NAME = "@heddle/grpc";

/** What generated clients need, loaded when it is first asked for. Throws, with the command that installs it, where it is not there. */
export function grpcPackage(): typeof import("@heddle/grpc") {
  try {
    return require(NAME) as typeof import("@heddle/grpc");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "MODULE_NOT_FOUND" && code !== "ERR_MODULE_NOT_FOUND") throw error;
    const missing = message.split("\n", 1)[0];
    throw new Error(`testMesh: gRPC needs ${NAME} and @grpc/grpc-js: npm install ${NAME} @grpc/grpc-js (${missing})`, { cause: error });
  }
}
