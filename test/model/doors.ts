import type { CallOptions, Mesh } from "@heddle/core";
import { MeshDispatcher, meshFetch, meshRequest, type ServiceHandle, serviceHandle } from "@heddle/http";
import type { TestMesh } from "@heddle/testing";
import { request as undiciRequest } from "undici";
import type { CallCommand, Door } from "./commands.ts";

/** What every way in gives: one head, and a body that is read once, in one of these ways. */
export interface Answer {
  readonly status: number;
  header(name: string): string | undefined;
  whole(): Promise<unknown>;
  /** One chunk, then nothing more is wanted. */
  part(): Promise<unknown>;
  discard(): void;
}

export type Body = string | AsyncIterable<Uint8Array> | null;

/** One call, as the model makes it. */
export interface Sending {
  readonly id: string;
  readonly body: Body;
  readonly signal: AbortSignal;
  readonly options: CallOptions;
}

export type Doors = Readonly<Record<Door, (command: CallCommand, sending: Sending) => Promise<Answer>>>;

interface ReplyLike {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  text(): Promise<string>;
  stream(): ReadableStream<Uint8Array>;
  discard(): void;
}

/** The real front doors, and those of the test mesh where there is one. */
export function openDoors(mesh: Mesh, test: TestMesh | null): Doors {
  const request = meshRequest(mesh);
  const dispatcher = new MeshDispatcher(mesh);
  const fetch = meshFetch(mesh, dispatcher);
  const handles = new Map<string, ServiceHandle>();
  const handleOf = (service: string): ServiceHandle => {
    const known = handles.get(service) ?? serviceHandle(mesh, service);
    handles.set(service, known);
    return known;
  };
  const byRequest: Doors["request"] = (command, sending) =>
    request(urlOf(command), { ...message(command, sending), mesh: sending.options }).then(ofReply);
  const byFetch: Doors["fetch"] = (command, sending) =>
    fetch(urlOf(command), { ...fetchInit(command, sending), mesh: sending.options }).then(ofResponse);
  return {
    request: byRequest,
    service: (command, sending) =>
      handleOf(command.service)
        .request(command.path, { ...message(command, sending), ...sending.options })
        .then(ofReply),
    fetch: byFetch,
    dispatcher: (command, { id, body, signal, options }) => {
      // Named first, because undici's own options do not know `mesh`.
      const given = { dispatcher, method: command.method, headers: { "x-id": id }, body: body as never, signal, mesh: options };
      return undiciRequest(urlOf(command), given).then(ofUndici);
    },
    "test-request": test
      ? (command, sending) => test.request(urlOf(command), { ...message(command, sending), mesh: sending.options }).then(ofReply)
      : byRequest,
    "test-fetch": test
      ? (command, sending) => test.fetch(urlOf(command), { ...fetchInit(command, sending), mesh: sending.options }).then(ofResponse)
      : byFetch,
  };
}

function urlOf({ service, path }: CallCommand): string {
  return `http://${service}${path}`;
}

function message({ method }: CallCommand, { id, body, signal }: Sending) {
  return { method, headers: { "x-id": id }, body, signal };
}

function fetchInit({ method }: CallCommand, { id, body, signal }: Sending): RequestInit {
  const init = { method, headers: { "x-id": id }, signal, redirect: "manual" as const };
  if (body === null) return init;
  return { ...init, body: typeof body === "string" ? body : ReadableStream.from(body), duplex: "half" } as RequestInit;
}

function ofReply(reply: ReplyLike): Answer {
  return {
    status: reply.status,
    header: (name) => {
      const value = reply.headers[name];
      return typeof value === "string" ? value : value?.[0];
    },
    whole: () => reply.text(),
    part: () => firstOf(reply.stream()),
    discard: () => reply.discard(),
  };
}

function ofResponse(response: Response): Answer {
  return {
    status: response.status,
    header: (name) => response.headers.get(name) ?? undefined,
    whole: () => response.text(),
    part: () => (response.body ? firstOf(response.body) : Promise.resolve()),
    // Cancelling a body that has failed already rejects with that failure.
    discard: () => void response.body?.cancel().catch(() => undefined),
  };
}

function ofUndici({ statusCode, headers, body }: Awaited<ReturnType<typeof undiciRequest>>): Answer {
  // A Readable that fails with nobody listening ends the process; who reads it is told by the read itself.
  body.on("error", () => undefined);
  return {
    status: statusCode,
    header: (name) => headers[name]?.toString(),
    whole: () => body.text(),
    part: async () => {
      for await (const _ of body) break;
    },
    discard: () => void body.destroy(),
  };
}

async function firstOf(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader();
  await reader.read();
  await reader.cancel();
}
