import { MeshError, type MeshErrorCode } from "./errors.ts";
import type { Layer } from "./layer.ts";
import { type HeaderMap, localResponse } from "./message.ts";
import { trailersOnly } from "./rpc-answer.ts";

/** Names the MeshError code of an answer made by the mesh. */
export const ERROR_HEADER = "x-heddle-error";

/** A refusal whose answer says more than its status. Its message is for log and report: the answer holds nothing of it. */
export class InboundRefusal extends MeshError {
  readonly body: string;
  readonly headers: HeaderMap;

  constructor(code: MeshErrorCode, message: string, answer: { readonly body?: string; readonly headers?: HeaderMap }) {
    super(code, message);
    this.body = answer.body ?? "";
    this.headers = answer.headers ?? {};
  }
}

/**
 * Answers what a layer below refused: the error's status, no body unless it has one, its code in `x-heddle-error`. A gRPC call ends at once
 * with the error's status of gRPC, and the body or the code as its message; the headers stay where they are, which is one place then. Other
 * errors pass.
 */
export const answerRefusals: Layer = (next) => (request) =>
  next(request).catch((error: unknown) => {
    if (!(error instanceof MeshError)) throw error;
    const { body, headers } = error instanceof InboundRefusal ? error : NOTHING_MORE;
    const all = { ...headers, [ERROR_HEADER]: error.code };
    if (request.context.rpc === null) return localResponse(error.status, body, all);
    const answer = trailersOnly(error.grpcStatus, body || error.code);
    Object.assign(answer.headers, { ...all, ...answer.headers });
    return answer;
  });

const NOTHING_MORE = { body: "", headers: {} };
