import { createContextKey, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { contextWithSpan } from "./context-with-span.ts";

const span = trace.wrapSpanContext({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 });
const other = trace.wrapSpanContext({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 });
const key = createContextKey("mine");

test("the span is found in it, in place of the one around it", () => {
  expect(trace.getSpan(contextWithSpan(trace.setSpan(ROOT_CONTEXT, other), span))).toBe(span);
});

test("everything else that is in the context around it is in it", () => {
  const baggage = propagation.createBaggage({ tenant: { value: "7" } });
  const around = propagation.setBaggage(ROOT_CONTEXT.setValue(key, "mine"), baggage);
  const made = contextWithSpan(around, span);
  expect(made.getValue(key)).toBe("mine");
  expect(propagation.getBaggage(made)).toBe(baggage);
});

test("what is added to it or taken from it keeps the rest, the span too", () => {
  const made = contextWithSpan(ROOT_CONTEXT.setValue(key, "mine"), span);
  expect(trace.getSpan(made.setValue(key, "yours"))).toBe(span);
  expect(made.setValue(key, "yours").getValue(key)).toBe("yours");
  expect(trace.getSpan(made.deleteValue(key))).toBe(span);
  expect(made.deleteValue(key).getValue(key)).toBeUndefined();
  expect(trace.getSpan(trace.deleteSpan(made))).toBeUndefined();
});

test("it is no copy of the context around it", () => {
  expect(contextWithSpan(ROOT_CONTEXT, span)).not.toBeInstanceOf(ROOT_CONTEXT.constructor);
});
