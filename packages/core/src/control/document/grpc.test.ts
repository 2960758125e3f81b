import { expect, test } from "vitest";
import { callOf, requestOf } from "../../../test/builders.ts";
import type { RouteMatchDocument } from "../../gen/document.ts";
import { seededRandom } from "../../random.ts";
import { compileMatch } from "../../routing/match.ts";
import { checkDocument } from "./check.ts";
import { loadDocument } from "./load.ts";
import { translateMatch } from "./translate-route.ts";

const problemsOf = (ratings: object) =>
  checkDocument({ apiVersion: "heddle/v1", services: { ratings: { protocol: "grpc", ...ratings } } }).problems.map(
    ({ where, message, severity }) => `${severity} ${where}: ${message}`,
  );

const matches = (match: RouteMatchDocument, path: string) =>
  compileMatch(translateMatch(match), seededRandom(1)).test(requestOf(callOf("unary", { path })), path);

test("a service of gRPC has every policy, in gRPC's words", () => {
  const { snapshot, problems } = loadDocument(
    {
      apiVersion: "heddle/v1",
      services: {
        ratings: {
          protocol: "grpc",
          endpoints: [{ address: "127.0.0.1:9083" }],
          retry: { on: ["connect-failure", "grpc:unavailable", "grpc:resource-exhausted"] },
          failure: { grpc: ["unavailable"] },
          fault: { abort: { percent: 5, grpc: "data-loss" } },
          fallback: { on: ["grpc:not-found"], respond: { status: 503 } },
        },
      },
    },
    "mesh.yaml",
  );
  expect(problems).toEqual([]);
  expect(snapshot?.backends.get("ratings")).toMatchObject({ protocol: "grpc", failure: { statuses: ["5xx"], grpc: ["unavailable"] } });
  expect(snapshot?.virtualHosts[0]?.routes[0]).toMatchObject({
    retry: { on: ["connect-failure", "grpc:unavailable", "grpc:resource-exhausted"] },
    fault: { abort: { status: null, grpc: "data-loss", fraction: { numerator: 5, denominator: 100 } } },
    fallback: { on: ["grpc:not-found"] },
  });
});

test.each<[RouteMatchDocument["grpc"], readonly string[], readonly string[]]>([
  [
    { service: { exact: "shop.Ratings" }, method: { exact: "Get" } },
    ["/shop.Ratings/Get"],
    ["/shop.Ratings/GetAll", "/shopxRatings/Get", "/shop.Ratings/get"],
  ],
  [{ service: { exact: "shop.Ratings" } }, ["/shop.Ratings/Get", "/shop.Ratings/List"], ["/shop.RatingsX/Get", "/x.shop.Ratings/Get"]],
  [{ method: { exact: "Get" } }, ["/shop.Ratings/Get", "/a.B/Get"], ["/shop.Ratings/DoGet", "/shop.Ratings/Get2"]],
  [
    { service: { regex: "shop\\.(Ratings|Reviews)" }, method: { regex: "Get.*" } },
    ["/shop.Ratings/GetAll", "/shop.Reviews/Get"],
    ["/shop.Orders/Get", "/shop.Ratings/List"],
  ],
  [
    { service: { exact: "shop.Ratings" }, method: { regex: "Get|List" } },
    ["/shop.Ratings/List"],
    ["/shopxRatings/List", "/shop.Ratings/Lists"],
  ],
  [{ method: { regex: "Get" } }, ["/shop.Ratings/Get"], ["/shop.Ratings/x/Get", "/Get"]],
  [{ service: { regex: "a|b" } }, ["/a/Get", "/b/Get"], ["/a/", "/ab/Get"]],
])("match.grpc %j takes %j and not %j", (grpc, taken, passed) => {
  for (const path of taken) expect(matches({ grpc } as RouteMatchDocument, path), path).toBe(true);
  for (const path of passed) expect(matches({ grpc } as RouteMatchDocument, path), path).toBe(false);
});

test("metadata is matched as headers are", () => {
  const match = compileMatch(
    translateMatch({ grpc: { method: { exact: "Get" } }, headers: { "X-User": { exact: "jason" } } }),
    seededRandom(1),
  );
  const call = (user: string) => requestOf(callOf("unary", { path: "/shop.Ratings/Get", headers: { "x-user": user } }));
  expect([match.test(call("jason"), "/shop.Ratings/Get"), match.test(call("mary"), "/shop.Ratings/Get")]).toEqual([true, false]);
});

test.each<[object, string]>([
  [{ match: { grpc: {} } }, "services.ratings.routes[0].match.grpc: found neither service nor method, expected what is called"],
  [{ match: { grpc: { service: {} } } }, "services.ratings.routes[0].match.grpc.service: found none of its keys exact, regex"],
  [{ match: { grpc: { service: { exact: "shop/Ratings" } } } }, 'found "shop/Ratings", expected a service with its package'],
  [{ match: { grpc: { method: { exact: "Get.All" } } } }, 'found "Get.All", expected the name of a method'],
  [{ match: { grpc: { method: { regex: "(" } } } }, "expected a regular expression in RE2 syntax"],
  [{ match: { grpc: { method: { exact: "Get" } }, path: { exact: "/" } } }, "found path and grpc, expected only one of them"],
  [{ retry: { on: ["grpc:unavailible"] } }, 'did you mean "grpc:unavailable"?'],
  [{ retry: { on: ["grpc:ok"] } }, 'found "grpc:ok", expected one of'],
  [{ fault: { abort: { grpc: "ok" } } }, 'found "ok", expected one of'],
  [{ fault: { abort: { percent: 1 } } }, "found none of its keys status, grpc"],
  [{ fault: { abort: { status: 503, grpc: "unavailable" } } }, "found status and grpc, expected only one of them"],
])("a route that says %j is a mistake", (route, expected) => {
  const problems = problemsOf({ routes: [route] });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(expected);
});

test("a route that matches calls of one service is not taken for one that matches everything", () => {
  expect(problemsOf({ routes: [{ match: { grpc: { method: { exact: "Get" } } } }, {}] })).toEqual([]);
});

test("an abort of gRPC calls where there are none is warned of", () => {
  const fault = { abort: { grpc: "internal" } };
  expect(problemsOf({ fault })).toEqual([]);
  expect(problemsOf({ protocol: "http2", fault, routes: [{ fault }] })).toEqual([
    "warning services.ratings.fault.abort.grpc: is for gRPC calls, and the service has protocol: http2",
    "warning services.ratings.routes[0].fault.abort.grpc: is for gRPC calls, and the service has protocol: http2",
  ]);
});
