import { context, propagation, trace } from "@opentelemetry/api";
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";

export interface RegisteredSdk {
  /** Spans that ended, in the order they ended. */
  spans(): ReadableSpan[];
}

/** Registers an SDK as an application does. */
export function registerSdk(sampler?: Sampler): RegisteredSdk {
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)], ...(sampler && { sampler }) });
  provider.register();
  return { spans: () => exporter.getFinishedSpans() };
}

/** As if no SDK had ever been there. */
export function unregisterSdk(): void {
  trace.disable();
  context.disable();
  propagation.disable();
}
