import {
  type Attributes,
  type Context,
  context,
  createTraceState,
  INVALID_TRACEID,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { TraceContext } from "../context.ts";
import type { Handler, Layer } from "../layer.ts";
import { copyHeaders, derive, type HeaderMap, type MeshRequest, type MeshResponse } from "../message.ts";
import { callStatus, callStatusWord, isCallError } from "./call-attributes.ts";
import { contextWithSpan } from "./context-with-span.ts";
import { type Direction, outcomeOf, refusedWith, whenOver } from "./exchange.ts";
import { writeTraceContext } from "./propagation.ts";
import { clientAttributes, decisionAttributes, peerAttributes, serverAttributes, spanName } from "./span-attributes.ts";
import { tracerLookup } from "./tracer.ts";

export interface TracingDeps {
  /** Told once what the SDK, or a part of it, threw. The request goes on without a span. */
  readonly warn: (message: string) => void;
}

/**
 * One CLIENT span for each attempt where an SDK is registered, and the trace context that goes with it on the wire. Without an SDK,
 * or where it makes no trace, the trace context of the inbound request is carried on unchanged, unless the caller set a `traceparent`.
 */
export function clientSpan(deps: TracingDeps): Layer {
  const lookup = tracerLookup();
  const guard = guarded(deps);
  const fields = new WrittenFields();
  return (next) => (request) => {
    const tracer = lookup();
    if (tracer === null) return next(carried(request));
    let span: Span | null = null;
    let told: MeshRequest | null = null;
    // The body of `guard`, written out: two closures a request are worth saving.
    try {
      const active = context.active();
      span = startClientSpan(tracer, request, active);
      if (span !== null) told = injected(request, contextWithSpan(active, span), fields);
    } catch (error) {
      guard.threw(error);
    }
    const reply = next(told ?? carried(request));
    if (span === null || !span.isRecording()) return reply;
    const recorded = span;
    return whenOver(reply, (response, failure) => guard.run(() => endClientSpan(recorded, request, response, failure)));
  };
}

/**
 * A SERVER span where an SDK is registered and no instrumentation has made one already: child of the caller's span, active while the
 * application runs, so that spans and calls made in it belong to it.
 */
export function serverSpan(deps: TracingDeps): Layer {
  const lookup = tracerLookup();
  const guard = guarded(deps);
  return (next) => (request) => {
    const tracer = lookup();
    const around = tracer && guard.run(() => startServerSpan(tracer, request));
    if (!around) return next(request);
    const { span, inside } = around;
    const reply = context.with<[MeshRequest], Handler>(inside, next, undefined, request);
    if (!span.isRecording()) return reply;
    return whenOver(reply, (response, failure) => guard.run(() => endServerSpan(span, request, response, failure)));
  };
}

interface Guard {
  run<T>(work: () => T): T | null;
  threw(error: unknown): void;
}

/** The SDK runs code of the application's choice (samplers, processors, propagators): what it throws must not reach the request. */
function guarded(deps: TracingDeps): Guard {
  let warned = false;
  const threw = (error: unknown) => {
    if (!warned) deps.warn(`tracing: the OpenTelemetry SDK threw; requests go on without spans: ${String(error)}`);
    warned = true;
  };
  return {
    threw,
    run(work) {
      try {
        return work();
      } catch (error) {
        threw(error);
        return null;
      }
    },
  };
}

function carried(request: MeshRequest): MeshRequest {
  const received = request.context.scope?.trace;
  if (!received || request.headers.traceparent !== undefined) return request;
  return derive(request, { headers: writeTraceContext(request.headers, received) });
}

/** Null where the SDK makes no trace of this call (a no-op provider, or tracing is suppressed). */
function startClientSpan(tracer: Tracer, request: MeshRequest, active: Context): Span | null {
  const span = tracer.startSpan(
    spanName(request),
    { kind: SpanKind.CLIENT, attributes: clientAttributes(request) },
    parentOf(active, request.context.scope?.trace ?? null),
  );
  return isInTrace(span, request) ? span : null;
}

/** Where nothing is active (the application lost its context, or made no SERVER span), the received trace is continued. */
function parentOf(active: Context, received: TraceContext | null): Context {
  if (received === null || trace.getSpan(active) !== undefined) return active;
  const { traceparent, tracestate } = received;
  return trace.setSpanContext(active, {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    // Of a version that may define more flags than ours, `sampled` is the one that is known.
    traceFlags: Number.parseInt(traceparent.slice(53, 55), 16) & 1,
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  });
}

function isInTrace(span: Span, request: MeshRequest): boolean {
  const { traceId } = span.spanContext();
  if (traceId === INVALID_TRACEID) return false;
  request.context.traceId = traceId;
  return true;
}

/**
 * The request with what the application's propagators write; null if that is nothing. A try has headers of its own, which can be
 * written to.
 */
function injected(request: MeshRequest, spanned: Context, fields: WrittenFields): MeshRequest | null {
  const isOwn = request.attempt !== null;
  const headers = isOwn ? request.headers : copyHeaders(request.headers);
  const { traceparent } = headers;
  fields.reset();
  try {
    propagation.inject(spanned, headers, fields);
  } catch (error) {
    // Half a context is none: the request goes on with the one it came with.
    if (traceparent === undefined) delete headers.traceparent;
    else headers.traceparent = traceparent;
    throw error;
  }
  if (!fields.hasAny) return null;
  // A tracestate belongs to the traceparent it came with.
  if (fields.hasTraceparent && !fields.hasTracestate && headers.tracestate !== undefined) delete headers.tracestate;
  return isOwn ? request : derive(request, { headers });
}

/** Where propagators write, and what they have written since the last reset. Injection is synchronous: one serves all requests. */
class WrittenFields implements TextMapSetter<HeaderMap> {
  hasAny = false;
  hasTraceparent = false;
  hasTracestate = false;

  reset(): void {
    this.hasAny = false;
    this.hasTraceparent = false;
    this.hasTracestate = false;
  }

  set(headers: HeaderMap, name: string, value: string): void {
    const field = name.toLowerCase();
    headers[field] = value;
    this.hasAny = true;
    if (field === "traceparent") this.hasTraceparent = true;
    else if (field === "tracestate") this.hasTracestate = true;
  }
}

const HEADER_GETTER: TextMapGetter<HeaderMap> = {
  keys: (headers) => Object.keys(headers),
  get(headers, name) {
    const value = headers[name.toLowerCase()];
    // Two of them are as good as none (W3C Trace Context); the SDK would take the first.
    return name === "traceparent" && typeof value === "object" && value.length > 1 ? undefined : value;
  },
};

function endClientSpan(span: Span, request: MeshRequest, response: MeshResponse | null, failure: unknown): void {
  // The balancer, below this layer, picked it after the span had begun.
  const endpoint = request.attempt?.endpoint ?? "";
  if (endpoint !== "") span.setAttributes(peerAttributes(endpoint));
  setResult(span, "outbound", 400, request, response, failure);
  span.end();
}

interface ServerSpan {
  readonly span: Span;
  /** What the application runs in. */
  readonly inside: Context;
}

function startServerSpan(tracer: Tracer, request: MeshRequest): ServerSpan | null {
  const active = context.active();
  const around = trace.getSpan(active);
  if (around !== undefined && !hasEnded(around)) return null;
  const parent = propagation.extract(trace.deleteSpan(active), request.headers, HEADER_GETTER);
  const span = tracer.startSpan(spanName(request), { kind: SpanKind.SERVER, attributes: serverAttributes(request) }, parent);
  return isInTrace(span, request) ? { span, inside: trace.setSpan(parent, span) } : null;
}

/** A server that started to listen inside a span has that span active for ever. `ended` is the SDK's, not the API's. */
function hasEnded(span: Span & { readonly ended?: boolean }): boolean {
  return span.ended === true;
}

function endServerSpan(span: Span, request: MeshRequest, response: MeshResponse | null, failure: unknown): void {
  const { route, rpc } = request.context;
  if (route !== "" && rpc === null) {
    span.setAttribute("http.route", route);
    span.updateName(`${spanName(request)} ${route}`);
  }
  span.setAttributes(decisionAttributes(request, response === null ? failure : null));
  setResult(span, "inbound", 500, request, response, failure);
  span.end();
}

/** `errorFrom`: the lowest status that is an error on this side (HTTP semantic conventions, "Status"). */
function setResult(
  span: Span,
  direction: Direction,
  errorFrom: number,
  request: MeshRequest,
  response: MeshResponse | null,
  failure: unknown,
): void {
  if (request.context.rpc !== null) return void setCallResult(span, direction, request, response, failure);
  const attributes: Attributes = {};
  const status = response?.status ?? refusedWith(direction, failure);
  if (status !== null) attributes["http.response.status_code"] = status;
  if (response !== null && response.status >= errorFrom) attributes["error.type"] = String(response.status);
  // Of a request that was refused and answered with less than that, the caller is to blame: no error of this service.
  else if (response === null && status !== null && status < errorFrom) return void span.setAttributes(attributes);
  else if (response === null || failure !== null) attributes["error.type"] = String(outcomeOf(direction, request, response, failure));
  span.setAttributes(attributes);
  if (attributes["error.type"] === undefined) return;
  span.setStatus(failure instanceof Error ? { code: SpanStatusCode.ERROR, message: failure.message } : { code: SpanStatusCode.ERROR });
}

function setCallResult(span: Span, direction: Direction, request: MeshRequest, response: MeshResponse | null, failure: unknown): void {
  const status = callStatus(response, failure);
  if (status !== null) span.setAttribute("rpc.grpc.status_code", status);
  if (status !== null && !isCallError(status, direction === "inbound")) return;
  const outcome = outcomeOf(direction, request, response, failure);
  span.setAttribute("error.type", failure === null && status !== null ? callStatusWord(status) : String(outcome));
  span.setStatus(failure instanceof Error ? { code: SpanStatusCode.ERROR, message: failure.message } : { code: SpanStatusCode.ERROR });
}
