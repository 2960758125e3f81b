/**
 * Node's `http`, without importing it: an import as an ES module reads every export, and one of them (`WebSocket`) loads Node's own
 * copy of undici, which costs more memory than the whole mesh.
 */
export const nodeHttp: typeof import("node:http") = process.getBuiltinModule("node:http");
