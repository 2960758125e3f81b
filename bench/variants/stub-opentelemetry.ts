import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import type { OpenVariant } from "../variant.ts";
import { stubRequest } from "./stub-bare.ts";
import { readStub, stubSend } from "./stub-transport.ts";
import { startTracing } from "./tracing.ts";

/** The stub with a span that is not sampled, and its header: what no client can save that is traced by an SDK. */
export const open: OpenVariant = async ({ path }) => {
  const stopTracing = startTracing(false);
  const tracer = trace.getTracer("bench");
  const send = stubSend({ requests: 0, unsampled: 0 }, false);
  const request = stubRequest(path);
  const attributes = { "http.request.method": "GET", "server.address": "reviews" };
  return {
    isInstant: true,
    async call() {
      const active = context.active();
      const span = tracer.startSpan("GET", { kind: SpanKind.CLIENT, attributes }, active);
      const headers: Record<string, string> = {};
      propagation.inject(trace.setSpan(active, span), headers);
      readStub(await send({ ...request, headers }));
      span.end();
    },
    close: stopTracing,
  };
};
