import { expect, test } from "vitest";
import { checkDocument } from "./check.ts";

function problemsOf(services: object, top: object = {}): readonly string[] {
  return checkDocument({ apiVersion: "heddle/v1", services, ...top }).problems.map(
    ({ where, message, severity }) => `${severity} ${where}: ${message}`,
  );
}

const respond = { status: 200 };

test("finds policies that are used and do not exist", () => {
  expect(problemsOf({ web: { use: "lm", routes: [{ use: ["llm", "x"] }] } }, { policies: { llm: { timeout: "1s" } } })).toEqual([
    'error services.web.use: no policy is called "lm"; did you mean "llm"?',
    'error services.web.routes[0].use[1]: no policy is called "x"',
  ]);
});

test("finds what a route would ignore of a policy it uses", () => {
  const policies = { big: { limits: "off", breaker: {}, retry: { budget: { percent: 1 } } } };
  expect(problemsOf({ web: { use: "big" } }, { policies })).toEqual([]);
  expect(problemsOf({ web: { routes: [{ use: "big" }] } }, { policies })).toEqual([
    'error services.web.routes[0].use: the policy "big" has "limits", "breaker", "retry.budget", which belongs to a service as a whole and not to a route',
  ]);
});

test("finds mirrors and fallbacks that lead nowhere, wherever they are inherited from, once", () => {
  const services = { web: { mirror: [{ service: "shadw" }, {}] }, shadow: {}, third: { fallback: { on: [503], subset: "v1" } } };
  expect(problemsOf(services, { defaults: { fallback: { on: [503], service: "sahdow" } } })).toEqual([
    'error services.web.mirror[0].service: no service is called "shadw"; did you mean "shadow"?',
    "error services.web.mirror[1]: found neither service nor subset: where are the copies to go?",
    'error defaults.fallback.service: no service is called "sahdow"; did you mean "shadow"?',
    'error services.third.fallback.subset: the service "third" has no subset "v1"',
  ]);
});

test("finds a fallback that cannot work or does nothing", () => {
  expect(problemsOf({ web: { fallback: { on: [503, "deadline"], service: "web2" } }, web2: {} })).toEqual([
    "error services.web.fallback.on[1]: once the deadline has passed no service can be asked any more; only respond can answer then",
  ]);
  expect(problemsOf({ web: { fallback: { on: ["deadline"], respond } } })).toEqual([]);
  expect(problemsOf({ web: { fallback: { on: [503] } } })[0]).toContain("found none of respond, service and subset");
  expect(problemsOf({ web: { fallback: { on: [503], respond, subset: "v1" } } })[0]).toContain("has no meaning beside respond");
  expect(problemsOf({ web: { fallback: { on: [503], respond, service: "web" } } })[0]).toContain("expected only one of them");
  expect(problemsOf({ web: { fallback: { respond } } })[0]).toContain('the key "on" is missing');
});

test("finds faults that are none, and percents that are none", () => {
  expect(problemsOf({ web: { fault: {} } })[0]).toContain("has neither delay, abort nor headers");
  expect(problemsOf({}, { policies: { a: { fault: {} } } })[0]).toContain("policies.a.fault");
  for (const percent of [-1, 100.5, 0.00001, "5"])
    expect(problemsOf({ web: { fault: { abort: { percent, status: 500 } } } })[0]).toContain("a number from 0 to 100");
  expect(problemsOf({ web: { fault: { abort: { percent: 0.0001, status: 500 } } } })).toEqual([]);
});

test("finds groups that a pattern does not have, and substitutions that are no path", () => {
  const rewritten = (pattern: string, substitution: string) =>
    problemsOf({ web: { routes: [{ rewrite: { regex: { pattern, substitution } } }] } });
  expect(rewritten("/(a)", "/\\1\\\\2")).toEqual([]);
  expect(rewritten("/(a)", "/\\2")).toEqual([
    "error services.web.routes[0].rewrite.regex.substitution: names group \\2, but the pattern has only 1",
  ]);
  expect(rewritten("/a", "/\\1")[0]).toContain("the pattern has no group");
  expect(rewritten("/(a", "/x")[0]).toContain("RE2 syntax");
  for (const bad of ["/a?b", "/a#b", "/a b", "\\x", "\\"]) expect(rewritten("/a", bad)[0]).toContain("a replacement");
});

test("compares the parts of a timeout with each other and with the tries, inherited ones too", () => {
  expect(problemsOf({ web: { timeout: { total: "1s", head: "2s" } } })).toEqual([
    "error services.web.timeout.head: found 2s, more than the total of 1s",
  ]);
  const retry = { perTryTimeout: "3s" };
  expect(problemsOf({ web: { retry, timeout: { total: "5s", head: "2s" } } })[0]).toContain("more than the timeout until the head of 2s");
  expect(problemsOf({ web: { retry }, other: {} }, { defaults: { timeout: "1s" } })).toEqual([
    "error services.web.retry.perTryTimeout: perTryTimeout is 3s, more than the total timeout of 1s (defaults.timeout)",
  ]);
  expect(problemsOf({ web: {}, other: {} }, { defaults: { timeout: "1s", retry } })).toHaveLength(1);
});

test("refuses policies beside a redirect or an answer that would ignore them", () => {
  const keys = { fault: { abort: { status: 500 } }, mirror: { service: "web2" }, fallback: { on: [503], respond }, use: "a" };
  const problems = problemsOf({ web: { routes: [{ respond, ...keys }] }, web2: {} }, { policies: { a: {} } });
  expect(problems.map((problem) => problem.split(":")[0])).toEqual(Object.keys(keys).map((key) => `error services.web.routes[0].${key}`));
});

test("a mirror may be written alone or in a list, methods as a list or inverted", () => {
  const routes = [{ match: { methods: { not: ["POST"] } }, mirror: { service: "web2", percent: 5 } }, { mirror: [{ service: "web2" }] }];
  expect(problemsOf({ web: { routes }, web2: {} })).toEqual([]);
  expect(problemsOf({ web: { routes: [{ mirror: [] }] } })[0]).toContain("routes[0].mirror: found an empty list");
  expect(problemsOf({ web: { routes: [{ match: { methods: { not: [] } } }] } })[0]).toContain("methods.not");
});
