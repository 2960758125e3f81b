import http from "node:http";
import { text } from "node:stream/consumers";
import { type HeaderMap, meshError } from "@heddle/core";
import type { JoinedMesh } from "heddle";
import undici from "undici";

/** What is sent through each door. */
export interface Call {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** The head is there. */
  readonly onHead?: () => void;
}

/** How a call ended for its caller, with what the mesh reports of it. */
export interface Outcome {
  /** Of the answer; of a failure, null. */
  readonly status: number | null;
  readonly headers: HeaderMap;
  readonly body: string;
  /** Of the mesh's failure; `none` where the error holds none; null for an answer. */
  readonly code: string | null;
  /** Whether the head had come. */
  readonly hadHead: boolean;
  readonly error: unknown;
  readonly attempts: readonly string[];
  /** Why each try was, or was not, the last. */
  readonly whys: readonly string[];
}

interface Head {
  readonly status: number;
  readonly headers: HeaderMap;
  /** What `mesh.report` knows it by. */
  readonly known: object;
  text(): Promise<string>;
}

export interface Door {
  readonly name: "mesh.request" | "mesh.fetch" | "mesh.dispatcher" | "mesh.agent";
  /** Does what the mesh's own requests get: retries. */
  readonly isWhole: boolean;
  send(mesh: JoinedMesh, call: Call): Promise<Outcome>;
}

type Open = (mesh: JoinedMesh, call: Call) => Promise<Head>;

const viaRequest: Open = async (mesh, { url, method, headers = {}, body }) => {
  const reply = await mesh.request(url, { method, headers, ...(body !== undefined && { body }) });
  return { status: reply.status, headers: reply.headers, known: reply, text: () => reply.text() };
};

const viaFetch: Open = async (mesh, { url, method, headers = {}, body }) => {
  const response = await mesh.fetch(url, { method, headers, redirect: "manual", ...(body !== undefined && { body }) });
  return { status: response.status, headers: Object.fromEntries(response.headers), known: response, text: () => response.text() };
};

const viaDispatcher: Open = async (mesh, { url, method, headers = {}, body }) => {
  const answer = await undici.request(url, { dispatcher: mesh.dispatcher, method, headers, ...(body !== undefined && { body }) });
  const known = answer.headers as HeaderMap;
  return { status: answer.statusCode, headers: known, known, text: () => answer.body.text() };
};

const viaAgent: Open = async (mesh, { url, method, headers = {}, body }) => {
  const message = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const request = http.request(url, { agent: mesh.agent(), method, headers }, resolve);
    request.on("error", reject);
    // Of an upgrade that nobody takes, node:http says no more.
    request.on("close", () => reject(new Error("closed without an answer")));
    request.end(body);
  });
  return { status: message.statusCode ?? 0, headers: message.headers as HeaderMap, known: message, text: () => text(message) };
};

function door(name: Door["name"], open: Open): Door {
  return {
    name,
    isWhole: name !== "mesh.agent",
    async send(mesh, call) {
      let head: Head | null = null;
      try {
        head = await open(mesh, call);
        call.onHead?.();
        const body = await head.text();
        return { ...answered(mesh, head), body };
      } catch (error) {
        const code = meshError(error)?.code ?? "none";
        const told = head === null ? reported(mesh, error) : reported(mesh, head.known);
        return { status: null, headers: {}, body: "", code, hadHead: head !== null, error, ...told };
      }
    },
  };
}

function answered(mesh: JoinedMesh, { status, headers, known }: Head): Omit<Outcome, "body"> {
  return { status, headers, code: null, hadHead: true, error: null, ...reported(mesh, known) };
}

/** Read when the call is over, so that what a body came to is in it. */
function reported(mesh: JoinedMesh, known: unknown): Pick<Outcome, "attempts" | "whys"> {
  const attempts = mesh.report(known)?.attempts ?? [];
  return { attempts: attempts.map(({ outcome }) => outcome), whys: attempts.map(({ why }) => why) };
}

export const DOORS: readonly Door[] = [
  door("mesh.request", viaRequest),
  door("mesh.fetch", viaFetch),
  door("mesh.dispatcher", viaDispatcher),
  door("mesh.agent", viaAgent),
];
