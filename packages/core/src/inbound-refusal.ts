import { MeshError } from "./errors.ts";
import type { Layer } from "./layer.ts";
import { localResponse } from "./message.ts";

/** Names the MeshError code of an answer made by the mesh. */
export const ERROR_HEADER = "x-heddle-error";

/** Answers what a layer below refused: the error's status, no body, its code in `x-heddle-error`. Other errors pass. */
export const answerRefusals: Layer = (next) => (request) =>
  next(request).catch((error: unknown) => {
    if (!(error instanceof MeshError)) throw error;
    return localResponse(error.status, "", { [ERROR_HEADER]: error.code });
  });
