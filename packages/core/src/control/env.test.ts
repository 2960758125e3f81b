import { expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { type Environment, envSource, hasEnvironmentServices } from "./env.ts";

function read(env: Environment) {
  const problems: string[] = [];
  const services: Record<string, readonly string[]> = {};
  const origins: string[] = [];
  envSource(env).watch(
    {
      update(snapshot) {
        for (const [name, { endpoints, origin }] of snapshot.endpointSets) {
          services[name] = endpoints.map(({ address }) => address);
          origins.push(origin);
        }
      },
      problem: ({ where, message }) => problems.push(`${where}: ${message}`),
    },
    systemClock,
  );
  return { services, problems, origins };
}

test("reads services and endpoints as .NET Aspire injects them, in the order of their index", () => {
  const { services, origins } = read({
    services__reviews__http__1: "http://127.0.0.1:9082",
    services__reviews__http__0: "http://localhost:9081/",
    "services__Catalog-Api__http__0": "http://catalog.internal",
  });
  expect(services).toEqual({ reviews: ["localhost:9081", "127.0.0.1:9082"], "catalog-api": ["catalog.internal:80"] });
  expect(origins).toContain("services__reviews__http__0");
});

test("variable names are the same in any case, as on Windows", () => {
  expect(read({ SERVICES__REVIEWS__HTTP__0: "http://127.0.0.1:9081" }).services).toEqual({ reviews: ["127.0.0.1:9081"] });
});

test("of a service with both, what speaks plain HTTP is taken; one with https alone is a mistake with the variable's name", () => {
  expect(
    read({ services__reviews__https__0: "https://localhost:7081", services__reviews__http__0: "http://localhost:9081" }),
  ).toMatchObject({
    services: { reviews: ["localhost:9081"] },
    problems: [],
  });
  expect(read({ services__reviews__https__0: "https://localhost:7081" }).problems).toEqual([
    expect.stringMatching(
      /^services__reviews__https__0: found "https:\/\/localhost:7081", .*https is not built in this version; the mesh waits/,
    ),
  ]);
});

test("endpoints by another name are other ports of the service, and left alone", () => {
  expect(read({ services__reviews__http__0: "http://localhost:1", services__reviews__admin__0: "http://localhost:2" }).services).toEqual({
    reviews: ["localhost:1"],
  });
});

test("reads <NAME>_HTTP, a list of addresses or URLs; underscores mean dashes", () => {
  expect(read({ REVIEWS_HTTP: "127.0.0.1:9081, [::1]:9082", CATALOG_API_HTTP: "http://localhost:9083" }).services).toEqual({
    reviews: ["127.0.0.1:9081", "[::1]:9082"],
    "catalog-api": ["localhost:9083"],
  });
});

test("where both name a service the indexed form is taken", () => {
  expect(read({ "services__catalog-api__http__0": "http://localhost:1", CATALOG_API_HTTP: "http://localhost:2" }).services).toEqual({
    "catalog-api": ["localhost:1"],
  });
});

test("every mistake is reported with its variable", () => {
  const { problems } = read({
    REVIEWS_HTTP: "127.0.0.1",
    services__web__http__0: "http://localhost:9081/base",
    services__shop__http__0: "ftp://shop",
  });
  expect(problems.map((problem) => problem.split(":")[0]).sort()).toEqual([
    "REVIEWS_HTTP",
    "services__shop__http__0",
    "services__web__http__0",
  ]);
});

test("a URL that says more than an address is a mistake, a password or fragment too", () => {
  for (const url of ["http://:secret@reviews:80", "http://reviews:80/#part", "http://reviews:80/?q", "http://user@reviews:80"])
    expect(read({ services__reviews__http__0: url }).problems[0], url).toMatch(/^services__reviews__http__0: found/);
});

test("variables of others that end alike are no services", () => {
  const env = { ENABLE_HTTP: "true", REVIEWS_SERVICE_PORT_HTTP: "80", EMPTY_HTTP: "", PATH: "/bin:/usr/bin" };
  expect(read(env)).toEqual({ services: {}, problems: [], origins: [] });
  expect(hasEnvironmentServices(env)).toBe(false);
  expect(hasEnvironmentServices({ REVIEWS_HTTP: "127.0.0.1:9081" })).toBe(true);
});

test("HEDDLE_SERVICE is a name to join as, with or without endpoints", () => {
  expect(read({ HEDDLE_SERVICE: "web", REVIEWS_HTTP: "127.0.0.1:9081" }).services).toEqual({ reviews: ["127.0.0.1:9081"], web: [] });
  expect(read({ HEDDLE_SERVICE: "reviews", REVIEWS_HTTP: "127.0.0.1:9081" }).services).toEqual({ reviews: ["127.0.0.1:9081"] });
});
