import { status as GrpcStatus, InterceptingCall, type Interceptor, ListenerBuilder } from "@grpc/grpc-js";
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { get, metadataFor } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";
import { grpcClientFacts } from "./grpc-client-facts.ts";
import { roundRobinClient } from "./grpc-service-config.ts";
import { startTracing } from "./tracing.ts";

/** A client span for each call and its header, with the attributes that OpenTelemetry's conventions ask for. */
function tracingInterceptor(): Interceptor {
  const tracer = trace.getTracer("bench");
  return (options, nextCall) => {
    const [, service = "", method = ""] = options.method_definition.path.split("/");
    const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method, "server.address": "reviews" };
    return new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        const active = context.active();
        const span = tracer.startSpan(`${service}/${method}`, { kind: SpanKind.CLIENT, attributes }, active);
        propagation.inject(trace.setSpan(active, span), metadata, { set: (carrier, key, value) => carrier.set(key, value) });
        const ending = new ListenerBuilder().withOnReceiveStatus((status, deliver) => {
          span.setAttribute("rpc.grpc.status_code", status.code);
          if (status.code !== GrpcStatus.OK) span.setStatus({ code: SpanStatusCode.ERROR, message: status.details });
          span.end();
          deliver(status);
        });
        next(metadata, ending.build());
      },
    });
  };
}

/** What applications put together themselves: the policies that grpc-js has, and OpenTelemetry's API in an interceptor. */
export function grpcHandWired(sampled: boolean): OpenVariant {
  return async ({ addresses, path }) => {
    const stopTracing = startTracing(sampled);
    const client = roundRobinClient(addresses, { interceptors: [tracingInterceptor()] } as object);
    return {
      call: () => get(client, metadataFor(path)),
      async verify(requests, counts) {
        const unsampled = Object.values(counts).reduce((sum, count) => sum + count.unsampled, 0);
        const traced = {
          name: sampled ? "tracing: every span was sampled" : "tracing: every call carried an unsampled trace context",
          holds: unsampled === (sampled ? 0 : requests),
          seen: `${unsampled} of ${requests} unsampled`,
        };
        return [traced, ...(await grpcClientFacts(client))];
      },
      async close() {
        client.close();
        await stopTracing();
      },
    };
  };
}
