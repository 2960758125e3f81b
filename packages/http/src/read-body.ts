import { type BodySink, emptyHeaders, type HeaderMap, type PushBody } from "@heddle/core";

const BYTE_ORDER_MARK = 0xfeff;

/** The whole body. Rejects with what broke it. */
export function readBytes(body: PushBody): Promise<Uint8Array> {
  return new Promise((resolve, reject) => body.attach(new Collector(resolve, reject)));
}

/** The whole body as UTF-8, without a byte order mark. */
export function readText(body: PushBody): Promise<string> {
  return readBytes(body).then(decode);
}

/** The whole body parsed as JSON; rejects with a SyntaxError if it is not. */
export function readJson<T>(body: PushBody): Promise<T> {
  return readBytes(body).then(parse) as Promise<T>;
}

/** Resolves to the trailers once the body has ended, whether or not it was read; rejects with what broke it. */
export function readTrailers(body: PushBody): Promise<HeaderMap> {
  return new Promise((resolve, reject) => {
    body.whenEnd((error) => {
      if (error === null) resolve(body.trailers ?? emptyHeaders());
      else reject(error);
    });
  });
}

class Collector implements BodySink {
  readonly #resolve: (bytes: Uint8Array) => void;
  readonly #reject: (error: unknown) => void;
  #first: Uint8Array | null = null;
  #all: Uint8Array[] | null = null;

  constructor(resolve: (bytes: Uint8Array) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  data(chunk: Uint8Array): void {
    if (this.#first === null) this.#first = chunk;
    else if (this.#all === null) this.#all = [this.#first, chunk];
    else this.#all.push(chunk);
  }

  end(): void {
    this.#resolve(this.#all === null ? (this.#first ?? new Uint8Array(0)) : Buffer.concat(this.#all));
  }

  fail(error: unknown): void {
    this.#reject(error);
  }
}

function decode(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(decode(bytes));
}
