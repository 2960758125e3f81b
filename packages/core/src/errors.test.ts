import { expect, test, vi } from "vitest";
import { MESH_ERROR_CODES, MeshError, meshError } from "./errors.ts";

test("a code decides status and whether a later try may succeed", () => {
  const facts = Object.fromEntries(
    MESH_ERROR_CODES.map((code) => {
      const { status, retryable } = new MeshError(code, "x");
      return [code, `${status}${retryable ? " retryable" : ""}`];
    }),
  );
  expect(facts).toEqual({
    unknown_service: "502",
    no_route: "404",
    no_endpoint: "503 retryable",
    connect_failed: "503 retryable",
    connection_reset: "503 retryable",
    protocol_error: "502",
    attempt_timeout: "504 retryable",
    deadline_exceeded: "504",
    breaker_open: "503 retryable",
    overloaded: "503 retryable",
    body_abandoned: "503",
    extension_failed: "500",
    tls_required: "502",
    no_identity: "503",
    mtls_required: "403",
    unauthenticated: "401",
    permission_denied: "403",
    invalid_request: "400",
    invalid_config: "500",
    not_ready: "503 retryable",
    closed: "503",
  });
});

test("is found in any error, through its causes", () => {
  const error = new MeshError("no_route", "no route", { cause: new Error("why") });
  expect(meshError(error)).toBe(error);
  expect(meshError(new TypeError("fetch failed", { cause: error }))).toBe(error);
  expect(meshError(new Error("a", { cause: new Error("b", { cause: { cause: error } }) }))).toBe(error);
});

test("is not found where there is none", () => {
  for (const value of [undefined, null, "MeshError", 5, {}, new Error("x"), { code: "no_route", name: "MeshError" }]) {
    expect(meshError(value)).toBe(undefined);
  }
  const loop: { cause?: unknown } = {};
  loop.cause = loop;
  expect(meshError(loop)).toBe(undefined);
});

test("is found across two copies of the package", async () => {
  vi.resetModules();
  const other = await import("./errors.ts");
  expect(other.MeshError).not.toBe(MeshError);
  const error = new other.MeshError("closed", "closed");
  expect(error).not.toBeInstanceOf(MeshError);
  expect(meshError(new TypeError("fetch failed", { cause: error }))).toBe(error);
});

test("what finds it does not show when it is printed or written as JSON", () => {
  expect(Object.keys(new MeshError("closed", "x"))).toEqual(expect.not.arrayContaining(["heddle.MeshError"]));
  expect(JSON.parse(JSON.stringify(new MeshError("closed", "x")))).toMatchObject({ code: "closed", status: 503, retryable: false });
});
