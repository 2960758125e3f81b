import { AsyncLocalStorage } from "node:async_hooks";
import { createServer } from "node:net";
import {
  credentials,
  InterceptingCall,
  type Interceptor,
  Metadata,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { GrpcStatus, meshError, runInScope } from "@heddle/core";
import { meshGrpc, meshGrpcOptions } from "@heddle/grpc";
import { expect, test } from "vitest";
import { outcomeOf, streamed } from "../calls.ts";
import { TextClient } from "../text-service.ts";
import { closing, liveMesh, serveText, textClient } from "./live.ts";

type Unary = (call: ServerUnaryCall<string, string>, callback: sendUnaryData<string>) => void;

const echo: Unary = (call, callback) => callback(null, call.request);

/** A port of loopback on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("carries metadata, binary too, initial metadata and trailers to and from a real server", async () => {
  let received: Metadata | undefined;
  const address = await serveText({
    unary: ((call, callback) => {
      received = call.metadata;
      const first = new Metadata();
      first.set("x-first-bin", Buffer.from([7, 0, 255]));
      call.sendMetadata(first);
      const last = new Metadata();
      last.add("x-last", "1");
      last.add("x-last", "2");
      callback(null, "ok", last);
    }) satisfies Unary,
  });
  const client = textClient(liveMesh([address]));
  const metadata = new Metadata();
  metadata.set("x-name", "value");
  metadata.add("x-raw-bin", Buffer.from([1]));
  metadata.add("x-raw-bin", Buffer.from([2, 3]));
  let first: Metadata | undefined;
  const status = await new Promise<StatusObject>((resolve) => {
    const call = client.unary("?", metadata, () => {});
    call.on("metadata", (given) => {
      first = given;
    });
    call.on("status", resolve);
  });
  expect(received?.get("x-name")).toEqual(["value"]);
  expect(received?.get("x-raw-bin")).toEqual([Buffer.from([1]), Buffer.from([2, 3])]);
  expect(first?.get("x-first-bin")).toEqual([Buffer.from([7, 0, 255])]);
  expect(status.metadata.get("x-last").join()).toMatch(/^1, ?2$/);
});

test("gives statuses of a real server with their details and bytes", async () => {
  const address = await serveText({
    unary: ((_, callback) => {
      const metadata = new Metadata();
      metadata.set("grpc-status-details-bin", Buffer.from("reasons"));
      callback({ code: GrpcStatus.FAILED_PRECONDITION, details: "not now: 50 % \u2713", metadata });
    }) satisfies Unary,
  });
  const { code, details, error } = await outcomeOf((callback) => textClient(liveMesh([address])).unary("?", callback));
  expect({ code, details }).toEqual({ code: GrpcStatus.FAILED_PRECONDITION, details: "not now: 50 % \u2713" });
  expect(error?.metadata.get("grpc-status-details-bin")).toEqual([Buffer.from("reasons")]);
});

test("spreads the calls of one client over all endpoints, not connections", async () => {
  const seen = new Map<string, number>();
  const addresses = await Promise.all(
    ["a", "b", "c"].map((name) => serveText({ unary: ((_, callback) => callback(null, name)) satisfies Unary })),
  );
  const client = textClient(liveMesh(addresses, { balancer: { policy: "round-robin" } }));
  const peers = new Set<string>();
  for (let i = 0; i < 30; i++) {
    const { value } = await outcomeOf((callback) => {
      const call = client.unary("?", callback);
      call.on("metadata", () => peers.add(call.getPeer()));
    });
    seen.set(value ?? "", (seen.get(value ?? "") ?? 0) + 1);
  }
  expect([...seen.values()]).toEqual([10, 10, 10]);
  expect([...peers].sort()).toEqual([...addresses].sort());
});

test("a cancelled call is cancelled at the server, and one that the server ends is ended here, in both directions at once", async () => {
  const atServer: string[] = [];
  const address = await serveText({
    bidi: (call: ServerDuplexStream<string, string>) => {
      call.on("cancelled", () => atServer.push("cancelled"));
      call.on("data", (text: string) => {
        call.write(text);
        if (text === "stop") call.emit("error", { code: GrpcStatus.ABORTED, details: "stopped" });
      });
    },
  });
  const client = textClient(liveMesh([address]));
  const one = client.bidi();
  const oneEnded = streamed(one);
  one.write("a");
  await new Promise((resolve) => one.once("data", resolve));
  one.cancel();
  expect((await oneEnded).status).toMatchObject({ code: GrpcStatus.CANCELLED, details: "Cancelled on client" });
  const other = client.bidi();
  const otherEnded = streamed(other);
  other.write("b");
  other.write("stop");
  expect(await otherEnded).toMatchObject({ messages: ["b", "stop"], status: { code: GrpcStatus.ABORTED, details: "stopped" } });
  await expect.poll(() => atServer, { timeout: 10_000 }).toContain("cancelled");
});

test("the deadline reaches the server as grpc-timeout, and holds here", async () => {
  let remaining = 0;
  const address = await serveText({
    unary: ((call) => {
      remaining = Number(call.getDeadline()) - Date.now();
    }) satisfies Unary,
  });
  const client = textClient(liveMesh([address]));
  const { code } = await outcomeOf((callback) => client.unary("?", { deadline: Date.now() + 400 }, callback));
  expect(code).toBe(GrpcStatus.DEADLINE_EXCEEDED);
  expect(remaining).toBeGreaterThan(0);
  expect(remaining).toBeLessThanOrEqual(400);
});

test("a call that waits for ready is answered once there is a server; another fails at once", async () => {
  const port = await freePort();
  const client = textClient(liveMesh([`127.0.0.1:${port}`]));
  const refused = await outcomeOf((callback) => client.unary("now", callback));
  expect(meshError(refused.error)?.code).toBe("connect_failed");
  const waiting = outcomeOf((callback) =>
    client.unary("later", new Metadata({ waitForReady: true }), { deadline: Date.now() + 15_000 }, callback),
  );
  await serveText({ unary: echo }, port);
  expect(await waiting).toMatchObject({ code: 0, value: "later" });
});

test("interceptors of the application stand above the mesh: once for a call, however often it is tried", async () => {
  const port = await freePort();
  const address = await serveText({ unary: ((call, callback) => callback(null, String(call.metadata.get("x-by")))) satisfies Unary });
  let calls = 0;
  const interceptor: Interceptor = (options, nextCall) => {
    calls++;
    return new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set("x-by", "interceptor");
        // As those do that ask somebody for a token first.
        setImmediate(() => next(metadata, listener));
      },
    });
  };
  const mesh = liveMesh([`127.0.0.1:${port}`, address], { balancer: { policy: "round-robin" }, retry: {} });
  const client = textClient(mesh, { interceptors: [interceptor] });
  for (let i = 0; i < 4; i++) expect((await outcomeOf((callback) => client.unary("?", callback))).value).toBe("interceptor");
  expect(calls).toBe(4);
});

test("holds messages to the sizes that the client asks for", async () => {
  const address = await serveText({ unary: ((call, callback) => callback(null, "x".repeat(Number(call.request)))) satisfies Unary });
  const mesh = liveMesh([address]);
  const small = textClient(mesh, { "grpc.max_receive_message_length": 100, "grpc.max_send_message_length": 50 });
  expect(await outcomeOf((callback) => small.unary("100", callback))).toMatchObject({ code: 0 });
  expect(await outcomeOf((callback) => small.unary("101", callback))).toMatchObject({ code: GrpcStatus.RESOURCE_EXHAUSTED });
  expect(await outcomeOf((callback) => small.unary(" ".repeat(51), callback))).toMatchObject({ code: GrpcStatus.RESOURCE_EXHAUSTED });
  expect(await outcomeOf((callback) => textClient(mesh).unary("101", callback))).toMatchObject({ code: 0 });
});

test("callbacks run in the caller's own context, whichever call made the connection", async () => {
  const address = await serveText({
    unary: echo,
    serverStream: (call: ServerWritableStream<string, string>) => {
      call.write(call.request);
      call.end();
    },
  });
  const client = textClient(liveMesh([address]));
  const store = new AsyncLocalStorage<string>();
  const heard = await Promise.all(
    ["1", "2", "3", "4"].map((text) =>
      store.run(text, async () => {
        const inside: (string | undefined)[] = [];
        await new Promise<void>((resolve) => {
          const call = client.unary(text, () => {
            inside.push(store.getStore());
            resolve();
          });
          call.on("metadata", () => inside.push(store.getStore()));
        });
        await new Promise<void>((resolve) => {
          const stream = client.serverStream(text);
          stream.on("data", () => inside.push(store.getStore()));
          stream.on("end", resolve);
        });
        return inside;
      }),
    ),
  );
  expect(heard).toEqual(["1", "2", "3", "4"].map((text) => [text, text, text]));
});

test("a host that no service claims is called past the mesh where egress allows, and by a client of the mesh's own never", async () => {
  const outside = await serveText({ unary: echo });
  const allowing = liveMesh([]);
  const leaving = closing(new TextClient(outside, credentials.createInsecure(), meshGrpcOptions(allowing)));
  expect((await outcomeOf((callback) => leaving.unary("out", callback))).value).toBe("out");
  const own = closing(meshGrpc(allowing, TextClient, outside));
  expect(meshError((await outcomeOf((callback) => own.unary("out", callback))).error)?.code).toBe("unknown_service");
  const denying = liveMesh([], {}, "deny");
  const denied = closing(new TextClient(outside, credentials.createInsecure(), meshGrpcOptions(denying)));
  const { code, error } = await outcomeOf((callback) => denied.unary("out", callback));
  expect(code).toBe(GrpcStatus.UNAVAILABLE);
  expect(meshError(error)?.code).toBe("unknown_service");
});

test("the deadline of the inbound request, and that of the call, hold past the mesh too", async () => {
  const outside = await serveText({});
  const client = closing(new TextClient(outside, credentials.createInsecure(), meshGrpcOptions(liveMesh([]))));
  const scope = { trace: null, tags: null, deadlineAt: performance.now() + 200, isRetry: false };
  const inherited = runInScope(scope, () => outcomeOf((callback) => client.unary("?", callback)));
  const own = outcomeOf((callback) => client.unary("?", { mesh: { timeout: "200ms" } }, callback));
  expect(await inherited).toMatchObject({ code: GrpcStatus.DEADLINE_EXCEEDED });
  expect(await own).toMatchObject({ code: GrpcStatus.DEADLINE_EXCEEDED });
});

test("a client waits to be ready until there is an endpoint, and hears when the mesh has none", async () => {
  const address = await serveText({ unary: echo });
  const ready = (client: TextClient, ms: number): Promise<Error | undefined> =>
    new Promise((resolve) => client.waitForReady(Date.now() + ms, resolve));
  expect(await ready(textClient(liveMesh([address])), 5_000)).toBeUndefined();
  expect(await ready(textClient(liveMesh([])), 120)).toMatchObject({ message: "Failed to connect before the deadline" });
});

test("what a server still reads when the client is closed goes on to its end", async () => {
  const address = await serveText({
    clientStream: (call: ServerReadableStream<string, string>, callback: sendUnaryData<string>) => {
      const texts: string[] = [];
      call.sendMetadata(new Metadata());
      call.on("data", (text: string) => texts.push(text));
      call.on("end", () => callback(null, texts.join("+")));
    },
  });
  const client = textClient(liveMesh([address]));
  const outcome = outcomeOf((callback) => {
    const stream = client.clientStream(callback);
    stream.write("1");
    stream.on("metadata", () => {
      client.close();
      stream.write("2");
      stream.end();
    });
  });
  expect(await outcome).toMatchObject({ code: 0, value: "1+2" });
});
