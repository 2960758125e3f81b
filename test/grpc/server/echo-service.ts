import {
  type Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

export interface Said {
  readonly text: string;
}

const write = (said: Said): Buffer => Buffer.from(said.text);
const read = (bytes: Buffer): Said => ({ text: bytes.toString() });

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Said, Said> {
  return {
    path: `/shop.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: write,
    requestDeserialize: read,
    responseSerialize: write,
    responseDeserialize: read,
  };
}

/** As generators make it, without one: messages are text. */
export const Echo = {
  Say: method("Say", false, false),
  Gather: method("Gather", true, false),
  Spread: method("Spread", false, true),
  Talk: method("Talk", true, true),
} satisfies ServiceDefinition;

export interface EchoHandlers {
  readonly Say: handleUnaryCall<Said, Said>;
  readonly Gather: handleClientStreamingCall<Said, Said>;
  readonly Spread: handleServerStreamingCall<Said, Said>;
  readonly Talk: handleBidiStreamingCall<Said, Said>;
}

/** Say answers the text; Gather all texts joined; Spread each word; Talk each text. */
export function echoHandlers(own: Partial<EchoHandlers> = {}): UntypedServiceImplementation {
  const handlers: EchoHandlers = {
    Say: (call, answer) => answer(null, call.request),
    Gather: (call, answer) => {
      const texts: string[] = [];
      call.on("data", ({ text }: Said) => texts.push(text));
      call.on("end", () => answer(null, { text: texts.join(" ") }));
    },
    Spread: (call) => {
      for (const text of call.request.text.split(" ")) call.write({ text });
      call.end();
    },
    Talk: (call) => {
      call.on("data", (said: Said) => call.write(said));
      call.on("end", () => call.end());
    },
    ...own,
  };
  return { ...handlers };
}

export type Outcome = { readonly texts: readonly string[]; readonly code: number; readonly details: string };

export type Method = keyof typeof Echo;

/** Makes one call of a plain client, whatever its type, to its end: what came back, and its status. */
export function call(client: Client, name: Method, texts: readonly string[], options: CallSettings = {}): Promise<Outcome> {
  return started(client, name, texts, options).outcome;
}

export interface CallSettings {
  readonly metadata?: Metadata;
  readonly deadline?: number;
  /** In place of `/shop.Echo/<name>`. */
  readonly path?: string;
}

export interface StartedCall {
  readonly outcome: Promise<Outcome>;
  readonly cancel: () => void;
  /** Resolves with the first message, or the end. */
  readonly first: Promise<void>;
  /** Of a stream of requests: sends one more, or ends it. */
  readonly send: (text: string | null) => void;
}

/** `keepOpen`: a stream of requests is not ended. */
export function started(client: Client, name: Method, texts: readonly string[], settings: CallSettings, keepOpen = false): StartedCall {
  const { path, requestStream, responseStream } = { ...Echo[name], ...(settings.path && { path: settings.path }) };
  const options = settings.deadline === undefined ? {} : { deadline: settings.deadline };
  const metadata = settings.metadata ?? new Metadata();
  const received: string[] = [];
  let begun = () => {};
  const first = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let finish: (outcome: Outcome) => void = () => {};
  const outcome = new Promise<Outcome>((resolve) => {
    finish = resolve;
  });
  const answered = (error: ServiceError | null, said?: Said) => {
    if (said) received.push(said.text);
    if (error) finish({ texts: received, code: error.code, details: error.details });
  };
  const made = responseStream
    ? requestStream
      ? client.makeBidiStreamRequest(path, write, read, metadata, options)
      : client.makeServerStreamRequest(path, write, read, { text: texts[0] ?? "" }, metadata, options)
    : requestStream
      ? client.makeClientStreamRequest(path, write, read, metadata, options, answered)
      : client.makeUnaryRequest(path, write, read, { text: texts[0] ?? "" }, metadata, options, answered);
  if (responseStream) {
    const stream = made as ClientReadableStream<Said>;
    stream.on("data", ({ text }: Said) => {
      received.push(text);
      begun();
    });
    stream.on("error", () => {});
  }
  made.on("metadata", () => begun());
  made.on("status", ({ code, details }: { code: number; details: string }) => {
    begun();
    // The callback of an answer that is one message may come later.
    setImmediate(() => finish({ texts: received, code, details }));
  });
  const writable = made as unknown as { write(said: Said): void; end(): void };
  const send = (text: string | null) => (text === null ? writable.end() : writable.write({ text }));
  if (requestStream) {
    for (const text of texts) send(text);
    if (!keepOpen) send(null);
  }
  return { outcome, first, send, cancel: () => (made as ClientUnaryCall).cancel() };
}
