import { describe, expect, test } from "vitest";
import { compileIdentityTemplate, type IdentityTemplate } from "./identity-template.ts";

function compiled(text: string): IdentityTemplate {
  const result = compileIdentityTemplate(text);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

describe("an identity template", () => {
  test("makes the ID of a service", () => {
    const template = compiled("spiffe://{trustDomain}/ns/{namespace}/sa/{service}");
    expect(template.names).toEqual(["trustDomain", "namespace", "service"]);
    expect(template.fill({ trustDomain: "shop.example", namespace: "shop", service: "web" })).toMatchObject({
      value: { text: "spiffe://shop.example/ns/shop/sa/web" },
    });
    expect(compiled("spiffe://{trustDomain}/{service}").fill({ trustDomain: "a", service: "b" })).toMatchObject({
      value: { text: "spiffe://a/b" },
    });
    expect(compiled("spiffe://shop.example/svc-{service}").fill({ service: "b" })).toMatchObject({ value: { path: "/svc-b" } });
  });

  test("makes none where a value is missing or is more than one segment", () => {
    const template = compiled("spiffe://{trustDomain}/ns/{namespace}/sa/{service}");
    const values = { trustDomain: "a", namespace: "n", service: "s" };
    expect(template.fill({ trustDomain: "a", service: "s" })).toMatchObject({
      ok: false,
      reason: expect.stringContaining("{namespace} has no value"),
    });
    for (const wrong of ["", "a/b", "..", "a%2fb", "a b", "{service}"]) {
      expect(template.fill({ ...values, namespace: wrong }).ok, wrong).toBe(false);
      expect(template.fill({ ...values, trustDomain: wrong }).ok, wrong).toBe(false);
    }
  });

  test.each([
    ["spiffe://{trustDomain}/ns/{nmespace}/sa/{service}", "unknown"],
    ["spiffe://{trustDomain}/{toString}/{service}", "unknown"],
    ["spiffe://{trustDomain}/all", "must name {service}"],
    ["spiffe://{service}", "must have a path"],
    ["https://{trustDomain}/{service}", "does not begin with spiffe://"],
    ["spiffe://{trustDomain}/{service}/", "ends with a slash"],
    ["spiffe://{trustDomain}/{service", "must name {service}"],
    ["spiffe://{trustDomain}/{namespace}-{service}", "two names in one segment"],
  ])("refuses %s when it is compiled", (template, reason) => {
    expect(compileIdentityTemplate(template)).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });
});
