import type { Row } from "./rows.ts";

type Figure = (name: string, of: "ratio" | "totalRatio" | "value" | "p50Ms" | "p50Ratio") => string;

/**
 * The few rows that a reader of README.md asks for. The same rows give the same table, whatever their order. Throws if one is missing.
 */
export function readmeTable(rows: readonly Row[]): string {
  const request = figuresOf(rows, "request");
  const dispatcher = figuresOf(rows, "dispatcher");
  const fetch = figuresOf(rows, "fetch");
  const stub = figuresOf(rows, "stub");
  const sidecar = figuresOf(rows, "sidecar");
  const byHand = (how: string): string => dispatcher(`cockatiel, opossum, OpenTelemetry: ${how}`, "ratio");
  const mutual = figuresOf(rows, "mtls");
  const envoys = "undici Pool.request, two Envoys, plaintext";
  const p50s = ["undici Pool.request", "mesh.request", envoys].map((variant) => sidecar(variant, "p50Ms"));
  return [
    ["way", "OpenTelemetry SDK, nothing sampled", "no SDK"],
    ["---", "---", "---"],
    ["`mesh.request` against undici `Pool.request`", request("mesh.request", "ratio"), request("mesh.request, no tracing SDK", "ratio")],
    ["`undici.request` through `mesh.dispatcher` against an undici `Agent`", dispatcher("undici.request, mesh.dispatcher", "ratio"), ""],
    [
      "the same with cockatiel, opossum and OpenTelemetry by hand, tuned / as usually written",
      `${byHand("tuned")} / ${byHand("as usually written")}`,
      "",
    ],
    [
      "the same through Platformatic's thread interceptor: requests in turn, no policies",
      "",
      dispatcher("undici.request, Platformatic's thread interceptor", "ratio"),
    ],
    ["`mesh.fetch` against undici `fetch`", fetch("mesh.fetch", "ratio"), ""],
    [
      "`Pool.request` through a pair of Envoy sidecars, plaintext: the client alone / with the sidecars",
      "",
      `${sidecar(envoys, "ratio")} / ${sidecar(envoys, "totalRatio")}`,
    ],
    ["median latency: `Pool.request` / `mesh.request` / `Pool.request` through the sidecars", `${p50s.join(" / ")} ms`, ""],
    [
      "mutual TLS and authorization, CPU of client and servers: `mesh.request` to `mesh.listen` against a pair of Envoy sidecars",
      mutual("mesh.request, mesh.listen", "totalRatio"),
      mutual("mesh.request, mesh.listen, no tracing SDK", "totalRatio"),
    ],
    [
      "the same, median latency",
      mutual("mesh.request, mesh.listen", "p50Ratio"),
      mutual("mesh.request, mesh.listen, no tracing SDK", "p50Ratio"),
    ],
    ...grpcRows(figuresOf(rows, "grpc")),
    [
      "the mesh alone, over a transport that answers at once",
      `${stub("mesh", "value")} us a request`,
      `${stub("mesh, no tracing SDK", "value")} us`,
    ],
  ]
    .map((cells) => `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |"))
    .join("\n");
}

function grpcRows(grpc: Figure): readonly (readonly string[])[] {
  const mutual = (variant: string): string => `${grpc(variant, "ratio")} / ${grpc(variant, "totalRatio")}`;
  return [
    [
      "`mesh.grpc`, unary calls, against `@grpc/grpc-js` with the same three channels in turn",
      grpc("mesh.grpc", "ratio"),
      grpc("mesh.grpc, no tracing SDK", "ratio"),
    ],
    [
      "the same by grpc-js' own `round_robin` with retry and outlier detection",
      "",
      grpc("grpc-js, round_robin with retry and outlier detection", "ratio"),
    ],
    [
      "the same with `round_robin` and OpenTelemetry by hand, tuned / as usually written",
      ["tuned", "as usually written"].map((how) => grpc(`round_robin and OpenTelemetry by hand: ${how}`, "ratio")).join(" / "),
      "",
    ],
    ["the same by `@grpc/grpc-js-xds`", "", grpc("grpc-js-xds", "ratio")],
    [
      "the same by mutual TLS, client alone / with sidecars and servers: `mesh.grpc` to `mesh.listen`",
      mutual("mesh.grpc, mesh.listen, mutual TLS"),
      mutual("mesh.grpc, mesh.listen, mutual TLS, no tracing SDK"),
    ],
    ["`@grpc/grpc-js-xds`, to servers of `@grpc/grpc-js`", "", mutual("grpc-js-xds, mutual TLS")],
    ["a pair of Envoy sidecars", "", mutual("grpc-js, two Envoys, mutual TLS")],
  ];
}

function figuresOf(rows: readonly Row[], suite: string): Figure {
  return (variant, of) => {
    const figure = rows.find((row) => row.suite === suite && row.variant === variant)?.[of];
    if (figure === null || figure === undefined)
      throw new Error(`README.md needs the ${of} of ${suite}: ${variant}, which was not measured`);
    return figure.toFixed(of === "value" ? 1 : 2);
  };
}
