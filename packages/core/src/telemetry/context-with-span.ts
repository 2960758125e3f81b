import { type Context, INVALID_SPAN_CONTEXT, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";

/**
 * A context with this span in it, as `trace.setSpan` makes it, without a copy of everything else in it: what is made for one injection
 * is asked for a value or two. Whoever adds to it gets one of the API's own.
 */
export function contextWithSpan(around: Context, span: Span): Context {
  return IS_UNDERSTOOD ? new ContextWithSpan(around, span) : trace.setSpan(around, span);
}

class ContextWithSpan implements Context {
  readonly #around: Context;
  readonly #span: Span;

  constructor(around: Context, span: Span) {
    this.#around = around;
    this.#span = span;
  }

  getValue(key: symbol): unknown {
    return key === SPAN_KEY ? this.#span : this.#around.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return trace.setSpan(this.#around, this.#span).setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return trace.setSpan(this.#around, this.#span).deleteValue(key);
  }
}

/** Under which key the API keeps a span. It does not say, but deletes it from any context that it is given. */
function spanKey(): symbol | null {
  let key: symbol | null = null;
  trace.deleteSpan({
    getValue: () => undefined,
    setValue: () => ROOT_CONTEXT,
    deleteValue(deleted) {
      key = deleted;
      return ROOT_CONTEXT;
    },
  });
  return key;
}

const SPAN_KEY = spanKey();
const PROBE = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
const IS_UNDERSTOOD = trace.getSpan(new ContextWithSpan(ROOT_CONTEXT, PROBE)) === PROBE;
