import {
  type Attempt,
  Cancel,
  type Channel,
  type ChannelSettings,
  derive,
  type Handler,
  PushBody,
  type Transport,
  TransportFailure,
} from "@heddle/core";
import { expect, test } from "vitest";
import { transportChecks } from "./contract-transport.ts";
import { fakeTransportHarness } from "./fake-harness.ts";
import { readBody } from "./read-body.ts";

type Break = (transport: Transport) => Transport;

function withChannel(change: (channel: Channel) => Partial<Channel>): Break {
  return (transport) => ({
    open(settings) {
      const channel = transport.open(settings);
      const whole: Channel = {
        send: channel.send,
        connections: () => channel.connections(),
        close: () => channel.close(),
        destroy: (reason) => channel.destroy(reason),
      };
      return { ...whole, ...change(channel) };
    },
  });
}

function withSend(change: (send: Handler) => Handler): Break {
  return withChannel((channel) => ({ send: change(channel.send) }));
}

function withSettings(change: Partial<ChannelSettings>): Break {
  return (transport) => ({ open: (settings) => transport.open({ ...settings, ...change }) });
}

const deafToCancel = withSend((send) => (request) => send(derive(request, { cancel: new Cancel() })));

const neverEnding = withSend((send) => async (request) => ({ ...(await send(request)), body: new PushBody(null) }));

const wholeBody = withSend((send) => async (request) => {
  const response = await send(request);
  return { ...response, body: PushBody.of(await readBody(response.body)) };
});

const endsWell = withSend((send) => async (request) => ({ ...(await send(request)), body: PushBody.of("") }));

const otherKind = withSend(
  (send) => (request) =>
    send(request).catch((cause: unknown) => Promise.reject(new TransportFailure("refused-stream", "other", { cause }))),
);

const otherBody = withSend((send) => (request) => send(derive(request, { body: "something else" })));

function marks<Field extends "wasSent" | "reusedConnection" | "connection">(field: Field, value: Attempt[Field]): Break {
  return withSend((send) => async (request) => {
    try {
      return await send(request);
    } finally {
      if (request.attempt) request.attempt[field] = value;
    }
  });
}

/** For every check, a transport that breaks just what it is about. */
const BROKEN: Readonly<Record<string, readonly Break[]>> = {
  "sends method, path and query, authority and headers as they are": [
    withSend((send) => (request) => send(derive(request, { authority: "127.0.0.1:9081" }))),
    withSend((send) => (request) => send(derive(request, { path: decodeURI(request.path) }))),
    withSend((send) => (request) => send(derive(request, { headers: { ...request.headers, "user-agent": "transport" } }))),
  ],
  "changes nothing in the request it is given": [
    withSend((send) => async (request) => {
      request.headers["x-added"] = "1";
      return send(request);
    }),
  ],
  "sends and gives every value of a header that repeats": [
    withSend((send) => (request) => send(derive(request, { headers: { ...request.headers, "x-many": "two" } }))),
    withSend((send) => async (request) => {
      const response = await send(request);
      return { ...response, headers: { ...response.headers, "set-cookie": "b=2" } };
    }),
  ],
  "gives status and headers with lower-case names": [
    withSend((send) => async (request) => {
      const response = await send(request);
      return { ...response, headers: { "X-Kind": response.headers["x-kind"] } };
    }),
    withSend((send) => async (request) => ({ ...(await send(request)), status: 200 })),
  ],
  "sends a request body that is a string": [otherBody],
  "sends a request body that is bytes": [otherBody],
  "sends a request body that is a stream of strings and bytes": [otherBody],
  "sends a request body that is absent": [otherBody],
  "rejects with the very error that the request body throws, and goes on with the next request": [otherKind],
  "ends the empty body of HEAD, whatever comes next": [neverEnding],
  "ends the empty body of 204, whatever comes next": [neverEnding],
  "ends the empty body of 304, whatever comes next": [neverEnding],
  "gives trailers with the end of the body": [wholeBody],
  "resolves at the head, before the body has ended": [wholeBody],
  "ends a small body that nobody reads": [neverEnding],
  "stops reading when nobody takes what came, and gives all of it, in order, when somebody does": [wholeBody, endsWell],
  "stops when the reader pauses, and goes on when it resumes": [
    withSend((send) => async (request) => {
      const response = await send(request);
      response.body.pause = () => {};
      return response;
    }),
    withSend((send) => async (request) => {
      const response = await send(request);
      response.body.resume = () => {};
      return response;
    }),
    wholeBody,
  ],
  "takes no more of a streamed request body than the endpoint reads": [
    withSend((send) => async (request) => {
      const chunks: (string | Uint8Array)[] = [];
      if (request.body) for await (const chunk of request.body as AsyncIterable<string | Uint8Array>) chunks.push(chunk);
      return send(derive(request, { body: chunks.join("") }));
    }),
  ],
  "a refused connection is a connect-failure, and nothing was sent": [marks("wasSent", true), otherKind],
  "connects again after the endpoint has come back": [
    withSend((send) => {
      let first: Promise<unknown> | null = null;
      return (request) => {
        first ??= send(request);
        return first as ReturnType<Handler>;
      };
    }),
  ],
  "a connection that breaks before the head is a reset, and the request was sent": [marks("wasSent", false), otherKind],
  "the request is marked as sent when it was answered": [marks("wasSent", false)],
  "a connection that breaks after the head fails the body with a reset": [endsWell, neverEnding],
  "a connection that breaks after the body fails the body with a reset": [endsWell, neverEnding],
  "a request after a broken one gets a new connection": [marks("reusedConnection", true), marks("connection", 1)],
  "an answer that is not the protocol is a protocol-error": [otherKind],
  "sends nothing for a request that is cancelled already": [deafToCancel, marks("wasSent", true)],
  "rejects with the reason of a cancel in the turn of the send": [deafToCancel, otherKind],
  "rejects with the reason while it waits for a connection": [deafToCancel, otherKind, withSettings({ maxConnections: 2 })],
  "rejects with the reason while the request body is being sent, and closes that body": [deafToCancel, otherKind],
  "rejects with the reason while it waits for the head": [deafToCancel, otherKind],
  "fails the body with the reason after the head": [deafToCancel],
  "gives up the exchange when the reader abandons the body": [
    withSend((send) => async (request) => {
      const response = await send(request);
      response.body.abandon = (reason) => response.body.fail(reason);
      return response;
    }),
  ],
  "a cancel after the end changes nothing": [
    withSend((send) => async (request) => {
      const response = await send(request);
      request.cancel.onCancel((reason) => {
        response.body.error = reason;
      });
      return response;
    }),
  ],
  "leaves no listener on the cancel when an exchange is over": [
    withSend((send) => (request) => {
      request.cancel.onCancel(() => {});
      return send(request);
    }),
  ],
  "opening a channel connects to nothing": [withChannel(() => ({ connections: () => 1 }))],
  "uses a connection again, and says so": [marks("reusedConnection", false), marks("connection", 0)],
  "gives each of many concurrent requests its own answer, over no more connections than allowed": [
    withSettings({ maxConnections: 1_000 }),
    withSend((send) => (request) => send(derive(request, { path: "/7" }))),
  ],
  "close lets what is in flight finish, then leaves no connection": [
    withChannel((channel) => ({
      close: () => {
        channel.destroy(new Error("closed"));
        return channel.close();
      },
    })),
    withChannel(() => ({ close: async () => {} })),
    withChannel(() => ({ connections: () => 1 })),
  ],
  "takes no request after close, and says that nothing was sent": [
    withChannel(() => ({ close: async () => {} })),
    marks("wasSent", true),
    otherKind,
  ],
  "close can be called again": [
    withChannel((channel) => {
      let isClosed = false;
      return {
        close: async () => {
          if (isClosed) throw new Error("closed already");
          isClosed = true;
          await channel.close();
        },
      };
    }),
  ],
  "destroy cuts what waits for a head and what has one, and leaves no connection": [withChannel(() => ({ destroy: () => {} })), endsWell],
};

test("there is a broken transport for every check", () => {
  expect(Object.keys(BROKEN).sort()).toEqual(transportChecks.map((check) => check.name).sort());
});

test("a transport in which nothing was broken passes every check", async () => {
  for (const check of transportChecks) {
    const harness = fakeTransportHarness();
    await check.run({ ...harness, transport: withChannel(() => ({}))(harness.transport) });
  }
});

for (const check of transportChecks) {
  for (const [index, breakIt] of (BROKEN[check.name] ?? []).entries()) {
    test(`a broken transport fails: ${check.name} (${index + 1})`, async () => {
      const harness = fakeTransportHarness();
      await expect(check.run({ ...harness, transport: breakIt(harness.transport) })).rejects.toThrow();
    });
  }
}
