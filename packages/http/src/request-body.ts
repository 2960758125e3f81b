import type { HeaderMap, RequestBody } from "@heddle/core";
import { FormData as UndiciFormData, Response as UndiciResponse } from "undici";

/** What callers may send. */
export type BodyInput =
  | RequestBody
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | FormData
  | URLSearchParams
  | ReadableStream<Uint8Array>
  | Iterable<Uint8Array | string>
  | undefined;

/** The body as the mesh sends it. Says in `headers` what the kind of body implies and the caller did not say: content-type, content-length. */
export function requestBody(input: BodyInput, headers: HeaderMap): RequestBody {
  if (input === undefined || input === null) return null;
  if (typeof input === "string" || input instanceof Uint8Array) return input;
  if (typeof input !== "object") throw new TypeError(`body: a ${typeof input} cannot be sent`);
  if (input instanceof ArrayBuffer) return new Uint8Array(input);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  if (input instanceof URLSearchParams) {
    headers["content-type"] ??= "application/x-www-form-urlencoded;charset=UTF-8";
    return input.toString();
  }
  if (isFormData(input)) return formBody(input, headers);
  if (input instanceof Blob) {
    headers["content-length"] ??= String(input.size);
    if (input.type !== "") headers["content-type"] ??= input.type;
    return input.stream() as AsyncIterable<Uint8Array>;
  }
  if (Symbol.asyncIterator in input) return input as AsyncIterable<Uint8Array | string>;
  if (Symbol.iterator in input) return inTurn(input as Iterable<Uint8Array | string>);
  throw new TypeError("body: must be a string, bytes, a Blob, FormData, URLSearchParams, a stream or an iterable; use `json` for objects");
}

function isFormData(input: object): input is FormData {
  return input instanceof FormData || input instanceof UndiciFormData;
}

function formBody(form: FormData, headers: HeaderMap): RequestBody {
  const encoded = new UndiciResponse(undiciForm(form));
  headers["content-type"] = encoded.headers.get("content-type") ?? undefined;
  return encoded.body as AsyncIterable<Uint8Array>;
}

/** undici encodes only its own FormData; Node's is another class. */
export function undiciForm(form: FormData): UndiciFormData {
  if (form instanceof UndiciFormData) return form;
  const own = new UndiciFormData();
  for (const [name, value] of form as unknown as Iterable<[string, string | File]>) {
    if (typeof value === "string") own.append(name, value);
    else own.append(name, value, value.name);
  }
  return own;
}

async function* inTurn(input: Iterable<Uint8Array | string>): AsyncGenerator<Uint8Array | string> {
  yield* input;
}

/** Frees a stream that will not be read to its end, as undici does when a request fails. */
export function releaseBody(input: unknown, error: unknown): void {
  const stream = input as { destroy?: (error?: unknown) => void; destroyed?: boolean; on?: (event: string, listener: () => void) => void };
  if (typeof stream?.destroy !== "function" || typeof stream.on !== "function" || stream.destroyed) return;
  // Its error is the request's, which the caller is told already.
  stream.on("error", () => {});
  stream.destroy(error);
}
