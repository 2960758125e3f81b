import { join } from "node:path";
import {
  Client,
  type ClientUnaryCall,
  credentials,
  loadPackageDefinition,
  type requestCallback,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { meshGrpc, meshGrpcOptions } from "@heddle/grpc";
import { expect, onTestFinished, test } from "vitest";
import { outcomeOf, streamed } from "../calls.ts";
import { textService } from "../text-service.ts";
import { closing, liveMesh, serveText, textClient } from "./live.ts";

interface Line {
  readonly text: string;
  readonly raw: Buffer;
  readonly numbers: readonly string[];
}

const line = (text: string): Line => ({ text, raw: Buffer.from([0, 1, 255]), numbers: ["9007199254740993"] });

/** What proto-loader makes of a file; the class it gives has a method for each of the service. */
function linesClass(): ServiceClientConstructor {
  const definition = loadSync(join(import.meta.dirname, "text.proto"), { longs: String, defaults: true });
  const loaded = loadPackageDefinition(definition) as unknown as { readonly test: { readonly Lines: ServiceClientConstructor } };
  return loaded.test.Lines;
}

async function serveLines(Lines: ServiceClientConstructor): Promise<string> {
  const server = new Server();
  server.addService(Lines.service, {
    Unary: (call: ServerUnaryCall<Line, Line>, callback: sendUnaryData<Line>) => callback(null, call.request),
    ClientStream: (call: ServerReadableStream<Line, Line>, callback: sendUnaryData<Line>) => {
      const texts: string[] = [];
      call.on("data", ({ text }: Line) => texts.push(text));
      call.on("end", () => callback(null, line(texts.join(","))));
    },
    ServerStream: (call: ServerWritableStream<Line, Line>) => {
      for (let i = 0; i < 3; i++) call.write(line(`${call.request.text}${i}`));
      call.end();
    },
    Bidi: (call: ServerDuplexStream<Line, Line>) => {
      call.on("data", (each: Line) => call.write(each));
      call.on("end", () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, given) => (error ? reject(error) : resolve(given)));
  });
  onTestFinished(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

test("a client of proto-loader makes all four kinds of calls through the mesh, with messages of protobuf", async () => {
  const Lines = linesClass();
  const mesh = liveMesh([await serveLines(Lines)]);
  const client = closing(new Lines("texts", credentials.createInsecure(), meshGrpcOptions(mesh)));
  const one = await new Promise((resolve, reject) => {
    client.Unary?.(line("a"), (error: Error | null, answer: Line) => (error ? reject(error) : resolve(answer)));
  });
  expect(one).toEqual(line("a"));
  const joined = await new Promise<Line>((resolve, reject) => {
    const stream = client.ClientStream?.((error: Error | null, answer: Line) => (error ? reject(error) : resolve(answer)));
    for (const text of ["a", "b", "c"]) stream.write(line(text));
    stream.end();
  });
  expect(joined.text).toBe("a,b,c");
  const streamedTo = await streamed(client.ServerStream?.(line("n")));
  expect(streamedTo.messages.map((each) => (each as unknown as Line).text)).toEqual(["n0", "n1", "n2"]);
  const both = client.Bidi?.();
  const echoed = streamed(both);
  for (const text of ["x", "y"]) both.write(line(text));
  both.end();
  expect((await echoed).messages).toEqual([line("x"), line("y")]);
});

test("clients of ts-proto and grpc-tools, made by a constructor over a definition, go through the mesh", async () => {
  const address = await serveText({
    unary: (call: ServerUnaryCall<string, string>, callback: sendUnaryData<string>) => callback(null, `${call.request}!`),
  });
  const client = textClient(liveMesh([address]));
  expect((await outcomeOf((callback) => client.unary("hi", callback))).value).toBe("hi!");
});

/** As protobuf-ts and hand-written clients have it: a class of its own over grpc-js' Client. */
class OwnClient extends Client {
  unary(text: string, callback: requestCallback<string>): ClientUnaryCall {
    const { path, requestSerialize, responseDeserialize } = textService.unary;
    return this.makeUnaryRequest(path, requestSerialize, responseDeserialize, text, callback);
  }
}

test("a class of its own over grpc-js' Client goes through the mesh", async () => {
  const address = await serveText({
    unary: (call: ServerUnaryCall<string, string>, callback: sendUnaryData<string>) => callback(null, `${call.request}?`),
  });
  const client = closing(meshGrpc(liveMesh([address]), OwnClient, "texts"));
  expect((await outcomeOf((callback) => client.unary("hi", callback))).value).toBe("hi?");
});
