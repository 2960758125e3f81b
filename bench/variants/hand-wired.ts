import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { ExponentialBackoff, handleAll, type IPolicy, retry, TimeoutStrategy, timeout, wrap } from "cockatiel";
import { Agent, request } from "undici";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { inTurn } from "./in-turn.ts";
import { CircuitBreaker, type OpossumOptions } from "./opossum.ts";
import { startTracing } from "./tracing.ts";

export interface HandWiring {
  /** cockatiel's default aborts a signal after every success, to clean up. */
  readonly abortOnReturn: boolean;
  readonly breaker: OpossumOptions;
  readonly sampled: boolean;
}

interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

function resilience({ abortOnReturn }: HandWiring): IPolicy {
  return wrap(
    retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff({ initialDelay: 25, maxDelay: 250 }) }),
    timeout(2_000, { strategy: TimeoutStrategy.Cooperative, abortOnReturn }),
  );
}

/**
 * What applications put together themselves to have most of the mesh's default set: cockatiel for retries and timeout, an opossum
 * breaker for each server, OpenTelemetry's API for a client span and its header, servers in turn, over `undici.request`.
 */
export function handWired(wiring: HandWiring): OpenVariant {
  return async ({ addresses, path }) => {
    const stopTracing = startTracing(wiring.sampled);
    const tracer = trace.getTracer("bench");
    const dispatcher = new Agent();
    const policy = resilience(wiring);

    const send = async (url: string, signal: AbortSignal): Promise<Answer> => {
      const headers: Record<string, string> = {};
      propagation.inject(context.active(), headers);
      const { statusCode, body } = await request(url, { dispatcher, headers, signal });
      const bytes = await body.bytes();
      if (statusCode >= 500) throw new Error(`${url} answered ${statusCode}`);
      return { status: statusCode, bytes };
    };
    const servers = addresses.map((address) => ({
      address,
      url: `http://${address}${path}`,
      breaker: new CircuitBreaker(send, wiring.breaker),
    }));
    const next = inTurn(servers);

    const attempt = (signal: AbortSignal): Promise<Answer> => {
      const server = next();
      const attributes = { "http.request.method": "GET", "server.address": server.address, "url.full": server.url };
      return tracer.startActiveSpan("GET", { kind: SpanKind.CLIENT, attributes }, async (span) => {
        try {
          const answer = await server.breaker.fire(server.url, signal);
          span.setAttribute("http.response.status_code", answer.status);
          return answer;
        } catch (error) {
          span.recordException(error as Error);
          span.setStatus({ code: SpanStatusCode.ERROR });
          throw error;
        } finally {
          span.end();
        }
      });
    };

    return {
      async call() {
        const { status, bytes } = await policy.execute(({ signal }) => attempt(signal));
        expectAnswer(status, bytes.length);
      },
      async close() {
        for (const { breaker } of servers) breaker.shutdown();
        await stopTracing();
        await dispatcher.destroy();
      },
    };
  };
}
