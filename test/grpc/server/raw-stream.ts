import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";

export interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  /** `grpc-status`, of the trailers or of an answer of trailers only; NaN without one. */
  readonly status: number;
  /** Of RST_STREAM; 0 without one. */
  readonly rstCode: number;
}

/** One stream on a connection of its own, with whatever headers: what came back until it closed. */
export async function exchange(port: number, headers: OutgoingHttpHeaders, body: Buffer = Buffer.alloc(0)): Promise<RawAnswer> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const stream = session.request(headers, { endStream: body.length === 0 });
  const answer = { headers: {} as IncomingHttpHeaders, trailers: {} as IncomingHttpHeaders };
  stream.on("response", (received) => (answer.headers = received));
  stream.on("trailers", (received) => (answer.trailers = received));
  stream.on("error", () => {});
  stream.resume();
  if (body.length > 0) stream.end(body);
  await new Promise((closed) => stream.once("close", closed));
  session.destroy();
  const status = Number(answer.trailers["grpc-status"] ?? answer.headers["grpc-status"] ?? Number.NaN);
  return { ...answer, status, rstCode: stream.rstCode };
}
