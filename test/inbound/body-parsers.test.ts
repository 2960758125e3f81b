import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { context } from "@heddle/core";
import { meshMiddleware } from "@heddle/express-adapter";
import { listen } from "@heddle/http";
import busboy from "busboy";
import express, { type Express, type Request, type RequestHandler, type Response } from "express";
import { expect, test } from "vitest";
import { servingMesh, type TestServingMesh } from "./serving-mesh.ts";

const host = "127.0.0.1";

interface Server {
  readonly url: string;
  close(): Promise<unknown>;
}

const places: Record<string, (mesh: TestServingMesh, app: Express) => Promise<Server>> = {
  "a listener": (mesh, app) => listen(mesh, app, { host }),
  "the middleware": async (_mesh, app) => {
    const server = createServer(app).listen(0, host);
    await once(server, "listening");
    return {
      url: `http://${host}:${(server.address() as AddressInfo).port}`,
      close: () => new Promise((resolve) => server.close(resolve)),
    };
  },
};

type Handle = (request: Request, response: Response, seen: (inbound: unknown) => void) => unknown;

/** Each reads the whole request, and tells in which scope it got a part of it. */
const readers: Record<string, { readonly before?: RequestHandler; readonly handle: Handle }> = {
  "express.json": {
    before: express.json({ limit: "2mb" }),
    handle: (_request, response, seen) => {
      seen(context());
      response.end();
    },
  },
  "express.raw, inflating": {
    before: express.raw({ type: "*/*", limit: "2mb" }),
    handle: (request, response, seen) => {
      expect(request.body.length).toBeGreaterThan(1_000_000);
      seen(context());
      response.end();
    },
  },
  busboy: {
    handle: (request, response, seen) => {
      const parser = busboy({ headers: { "content-type": request.headers["x-form"] as string } });
      parser.on("file", (_name, file) => file.on("data", () => seen(context())));
      parser.on("close", () => response.end());
      request.pipe(parser);
    },
  },
  'raw listeners for "data"': {
    handle: (request, response, seen) => {
      request.on("data", () => seen(context()));
      request.on("end", () => response.end());
    },
  },
  "a pipeline through a transform": {
    handle: async (request, response, seen) => {
      const look = new Transform({
        transform(chunk, _encoding, done) {
          seen(context());
          done(null, chunk);
        },
      });
      await pipeline(request, look, response);
    },
  },
  "an async iteration": {
    handle: async (request, response, seen) => {
      for await (const _chunk of request) seen(context());
      response.end();
    },
  },
};

async function bodyFor(name: string): Promise<{ readonly body: Uint8Array; readonly headers: Record<string, string> }> {
  const text = JSON.stringify({ long: "x".repeat(1_000_000) });
  if (name === "express.json") return { body: Buffer.from(text), headers: { "content-type": "application/json" } };
  if (name.startsWith("express.raw")) {
    const packed = await Readable.from([text]).pipe(createGzip()).toArray();
    return { body: Buffer.concat(packed), headers: { "content-encoding": "gzip", "content-type": "application/octet-stream" } };
  }
  if (name !== "busboy") return { body: Buffer.from(text), headers: {} };
  const form = new FormData();
  form.set("file", new Blob([text]), "file.txt");
  const packed = new globalThis.Response(form);
  return { body: new Uint8Array(await packed.arrayBuffer()), headers: { "x-form": packed.headers.get("content-type") ?? "" } };
}

const combinations = Object.keys(places).flatMap((place) => Object.keys(readers).map((reader) => [reader, place] as const));

test.each(combinations)("what %s reads behind %s it reads in the scope of its request", async (reader, place) => {
  const mesh = servingMesh();
  const { before, handle } = readers[reader] as (typeof readers)[string];
  const scopes = new Set<unknown>();
  let own: unknown;
  const app = express();
  app.use(meshMiddleware(mesh));
  if (before) app.use(before);
  app.post("/", (request, response) => {
    own = request.mesh;
    return handle(request, response, (inbound) => scopes.add(inbound));
  });
  const server = await places[place]?.(mesh, app);
  const { body, headers } = await bodyFor(reader);
  const reply = await fetch(`${server?.url}/`, { method: "POST", body, headers });
  await reply.arrayBuffer();
  expect(reply.status).toBe(200);
  expect([...scopes]).toEqual([own]);
  expect(own).toBeDefined();
  await mesh.close();
  await server?.close();
});
