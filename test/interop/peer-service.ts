import { createHash } from "node:crypto";
import {
  Metadata,
  type MethodDefinition,
  makeGenericClientConstructor,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

/** google.protobuf.BytesValue: one field of bytes, number 1, absent where it is empty. */
function write(value: Uint8Array): Buffer {
  if (value.length === 0) return Buffer.alloc(0);
  const head = [0x0a];
  let rest = value.length;
  for (; rest > 127; rest = Math.floor(rest / 128)) head.push((rest % 128) + 128);
  return Buffer.concat([Buffer.from([...head, rest]), value]);
}

function read(message: Buffer): Buffer {
  if (message.length === 0) return message;
  if (message[0] !== 0x0a) throw new Error("no google.protobuf.BytesValue");
  let length = 0;
  let at = 1;
  for (let factor = 1; ; factor *= 128) {
    const byte = message[at++] as number;
    length += (byte % 128) * factor;
    if (byte < 128) break;
  }
  if (at + length !== message.length) throw new Error("no google.protobuf.BytesValue");
  return message.subarray(at);
}

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Uint8Array, Buffer> {
  return {
    path: `/heddle.test.Peer/${name}`,
    requestStream,
    responseStream,
    requestSerialize: write,
    requestDeserialize: read,
    responseSerialize: write,
    responseDeserialize: read,
  };
}

/** What grpc-go's peer serves and calls: test/interop/go-grpc-peer. */
export const Peer = {
  Unary: method("Unary", false, false),
  Collect: method("Collect", true, false),
  Expand: method("Expand", false, true),
  Chat: method("Chat", true, true),
  Unknown: method("Unknown", false, false),
} satisfies ServiceDefinition;

export const PeerClient = makeGenericClientConstructor(Peer, "Peer");

/** What Expand sends: no two messages of 256 are the same. */
export function patterned(index: number, size: number): Buffer {
  const message = Buffer.alloc(size);
  for (let at = 0; at < size; at++) message[at] = (index + at) % 256;
  return message;
}

/** Named as the handlers of a server are. */
type Call = { readonly metadata: Metadata; sendMetadata(metadata: Metadata): void };

export type SeenCall = Call & {
  getPath(): string;
  getDeadline(): Date | number;
  on(event: "cancelled", listener: () => void): unknown;
};

function echo(call: Call): { readonly trailers: Metadata; readonly error: { code: number; details: string } | null } {
  const headers = new Metadata();
  for (const name of ["x-echo", "x-echo-bin"]) for (const value of call.metadata.get(name)) headers.add(name, value);
  const trailers = headers.clone();
  for (const name of ["grpc-previous-rpc-attempts", "x-envoy-attempt-count"])
    for (const value of call.metadata.get(name)) trailers.add(`saw-${name}`, value);
  const [code] = call.metadata.get("x-fail-code");
  if (code !== undefined) return { trailers, error: { code: Number(code), details: "as was asked for: 100 % ü" } };
  call.sendMetadata(headers);
  return { trailers, error: null };
}

/** The same as grpc-go's, for a server of grpc-js. `seen`: told of each call. */
export function peerHandlers(seen: (call: SeenCall) => void) {
  return {
    Unary(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      seen(call);
      const { trailers, error } = echo(call);
      const [sleep] = call.metadata.get("x-sleep-ms");
      const end = () => (error ? answer({ ...error, metadata: trailers }) : answer(null, call.request, trailers));
      if (sleep === undefined) return void end();
      const waking = setTimeout(end, Number(sleep));
      call.on("cancelled", () => clearTimeout(waking));
    },
    Collect(call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      seen(call);
      const { trailers, error } = echo(call);
      if (error) return void answer({ ...error, metadata: trailers });
      let [count, bytes] = [0, 0];
      const hash = createHash("sha256");
      call.on("data", (message: Buffer) => {
        count++;
        bytes += message.length;
        hash.update(message);
      });
      call.on("end", () => {
        trailers.set("saw-sha256", hash.digest("hex"));
        answer(null, Buffer.from(`${count} messages of ${bytes} bytes`), trailers);
      });
    },
    Expand(call: ServerWritableStream<Buffer, Buffer>) {
      seen(call);
      const { trailers, error } = echo(call);
      if (error) return void call.emit("error", { ...error, metadata: trailers });
      const of = JSON.parse(String(call.request)) as { count: number; size: number };
      let next = 0;
      const more = () => {
        while (next < of.count) {
          if (!call.write(patterned(next++, of.size))) return void call.once("drain", more);
        }
        call.end(trailers);
      };
      more();
    },
    Chat(call: ServerDuplexStream<Buffer, Buffer>) {
      seen(call);
      const { trailers, error } = echo(call);
      if (error) return void call.emit("error", { ...error, metadata: trailers });
      call.on("data", (message: Buffer) => {
        if (String(message) === "fail") call.emit("error", { code: 10, details: "the caller said so", metadata: trailers });
        else if (String(message) === "leave") call.end(trailers);
        else call.write(message);
      });
      call.on("end", () => call.end(trailers));
    },
  } satisfies UntypedServiceImplementation;
}
