/** What `grpc.health.v1` answers about a service. */
export const ServingStatus = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;

export type ServingStatusCode = (typeof ServingStatus)[keyof typeof ServingStatus];

export interface HealthCheckRequest {
  /** Empty: the server as a whole. */
  readonly service: string;
}

export interface HealthCheckResponse {
  readonly status: ServingStatusCode;
}

export interface HealthListResponse {
  readonly statuses: Readonly<Record<string, HealthCheckResponse>>;
}

// Three messages of three fields: less than the library that would read them (protobuf.dev/programming-guides/encoding).

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Reads `{ string service = 1; }`, and passes over fields that it does not know. Throws for bytes that are no message. */
export function readCheckRequest(message: Buffer): HealthCheckRequest {
  const reader = new Reader(message);
  let service = "";
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    if (tag === ((1 << 3) | BYTES)) service = reader.bytes(reader.varint()).toString("utf8");
    else reader.skip(tag & 7);
  }
  return { service };
}

/** `{ ServingStatus status = 1; }` */
export function writeCheckResponse({ status }: HealthCheckResponse): Buffer {
  return status === 0 ? Buffer.alloc(0) : Buffer.from([(1 << 3) | VARINT, status]);
}

/** `{ map<string, HealthCheckResponse> statuses = 1; }` */
export function writeListResponse({ statuses }: HealthListResponse): Buffer {
  const entries = Object.entries(statuses).map(([name, response]) =>
    field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, writeCheckResponse(response))])),
  );
  return Buffer.concat(entries);
}

/** `{}` */
export function readListRequest(): object {
  return {};
}

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | BYTES]), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

class Reader {
  readonly #message: Buffer;
  #at = 0;

  constructor(message: Buffer) {
    this.#message = message;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#message.length;
  }

  /** Of 32 bits: longer ones are read to their end, and what is above is dropped. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes(1)[0] ?? 0;
      if (shift < 32) value = (value | ((byte & 127) << shift)) >>> 0;
      if (byte < 128) return value;
    }
    throw new RangeError("a number that does not end");
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#message.length) throw new RangeError("the message ends within a field");
    const bytes = this.#message.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED64) this.bytes(8);
    else if (wireType === BYTES) this.bytes(this.varint());
    else if (wireType === FIXED32) this.bytes(4);
    else throw new RangeError(`fields of the kind ${wireType} do not exist`);
  }
}
