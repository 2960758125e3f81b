import { durationMs, type HeaderMap } from "@heddle/core";
import { test } from "vitest";
import { type Answer, completeAnswer, type ReceivedRequest, receivedRequest } from "../answer.ts";
import { rpcRequestOf } from "../builders.ts";
import type { RpcHarness } from "../contract/transport-rpc.ts";
import { transportRpcContract } from "../contract-transport.ts";
import { virtualClock } from "../virtual-clock.ts";
import type { FakeGrpcCall } from "./fake-grpc-exchange.ts";
import { fakeGrpcTransport } from "./fake-grpc-transport.ts";

function harness(): RpcHarness {
  const clock = virtualClock();
  const transport = fakeGrpcTransport({ clock });
  const endpoint = transport.endpoint("10.0.0.1:9000");
  const requests: ReceivedRequest[] = [];
  const messages: (readonly Uint8Array[])[] = [];
  const take = async (call: FakeGrpcCall): Promise<ReceivedRequest> => {
    const received = await call.all();
    const aborted = new AbortController();
    void call.over.then(() => call.cancelReason !== undefined && aborted.abort(call.cancelReason));
    const { endpoint, authority, path, headers, at } = call;
    const request = receivedRequest({
      endpoint,
      method: "POST",
      authority,
      path,
      headers,
      body: Buffer.concat(received),
      at,
      signal: aborted.signal,
    });
    messages.push(received);
    requests.push(request);
    return request;
  };
  const afterTaking = (then: (call: FakeGrpcCall) => void) => async (): Promise<void> => {
    endpoint.handle(async (call) => {
      await take(call);
      then(call);
    });
  };
  return {
    transport,
    request: rpcRequestOf,
    pass: (ms) => clock.advance(ms),
    close: async () => {},
    endpoint: {
      address: endpoint.address,
      requests,
      messages,
      admit: async (streams) => void endpoint.admit(streams),
      answer: async (answer) => {
        endpoint.handle(async (call) => {
          const given = await answer(await take(call));
          if (given.delay !== undefined)
            await new Promise<void>((resolve) => clock.setTimer(durationMs(given.delay ?? 0, "delay"), resolve));
          await give(call, given);
        });
      },
      refuse: async () => void endpoint.refuse(),
      reset: (after) =>
        afterTaking((call) => {
          if (after !== "send") call.sendMetadata();
          if (after === "body") void call.send("part");
          // What was sent before has to be seen before it breaks.
          clock.setTimer(1, () => call.break("reset"));
        })(),
      hang: async (at) => {
        if (at === "request") endpoint.hang();
        else
          await afterTaking((call) => {
            if (at === "body") void call.send("part");
          })();
      },
      garbage: afterTaking((call) => call.break("protocol-error")),
    },
  };
}

async function give(call: FakeGrpcCall, answer: Answer): Promise<void> {
  const { headers, body, trailers } = completeAnswer(answer, "POST");
  if (headers["grpc-status"] === undefined) {
    call.sendMetadata(fieldsOf(headers));
    try {
      for await (const chunk of body) await call.send(chunk);
    } catch {
      call.break("reset");
    }
  }
  const { "grpc-status": status = "0", "grpc-message": details = "", ...rest } = fieldsOf(trailers() ?? headers);
  call.end(Number(status), decodeURIComponent(String(details)), rest);
}

function fieldsOf(headers: HeaderMap): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

transportRpcContract({ name: "the fake of gRPC", test, open: harness });
