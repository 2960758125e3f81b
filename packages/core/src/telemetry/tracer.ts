import { ProxyTracerProvider, type Tracer, type TracerProvider, trace } from "@opentelemetry/api";

/** The mesh's instrumentation scope. */
const SCOPE_NAME = "@heddle/core";

/** What the API's provider delegates to until an SDK has registered. */
const NO_SDK: TracerProvider = new ProxyTracerProvider().getDelegate();

/**
 * The tracer of the SDK that is registered now; null while there is none. Asked once a request: an SDK may register before or after
 * the mesh joins, through another copy of the API, or be replaced.
 */
export function tracerLookup(): () => Tracer | null {
  let known: TracerProvider = NO_SDK;
  let tracer: Tracer | null = null;
  return () => {
    const provider = registeredProvider();
    if (provider !== known) {
      known = provider;
      tracer = provider === NO_SDK ? null : provider.getTracer(SCOPE_NAME);
    }
    return tracer;
  };
}

/** An SDK is registered now. */
export function isTraced(): boolean {
  return registeredProvider() !== NO_SDK;
}

function registeredProvider(): TracerProvider {
  const provider = trace.getTracerProvider() as TracerProvider & Partial<Pick<ProxyTracerProvider, "getDelegate">>;
  return typeof provider.getDelegate === "function" ? provider.getDelegate() : provider;
}
