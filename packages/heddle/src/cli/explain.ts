import { parseArgs } from "node:util";
import {
  createMesh,
  type ExplainedBackend,
  type ExplainedDecision,
  type ExplainRequest,
  type Explanation,
  type MeshSnapshot,
  nearest,
  type Transport,
} from "@heddle/core";
import { ASSUMED_IDENTITY, assumesIdentity, securityProblems } from "./assumed-identity.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { calledText, explainCalled } from "./explain-called.ts";
import { type HeaderLines, parseHeaderLines } from "./header-lines.ts";
import { readDocument } from "./read-document.ts";

export const explain: Command = {
  usage:
    "explain FILE [METHOD] URL [--grpc SERVICE/METHOD] [-H 'name: value']... [--from SPIFFE_ID] [--claims JSON] [--peer-address IP] [--json]",
  summary:
    "Says what would happen to a request and why, by the code that decides for real ones. Sends nothing. Also what the called service decides about the caller of --from, --claims and --peer-address; without them, about one that shows nothing. Exit 1 if the document has mistakes.",
  async run(args, { out, err }) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: "boolean" },
        header: { type: "string", short: "H", multiple: true },
        from: { type: "string" },
        claims: { type: "string" },
        grpc: { type: "string" },
        "peer-address": { type: "string" },
      },
    });
    const [file, ...rest] = positionals;
    const url = rest.pop();
    const method = rest.pop() ?? "GET";
    if (file === undefined || url === undefined || rest.length > 0) throw new UsageError("give a document, optionally a method, and a URL");
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new UsageError(`${JSON.stringify(url)} is not an http:// or https:// URL`);
    if (new URL(url).username !== "" || new URL(url).password !== "")
      throw new UsageError("a URL with credentials is not taken; set the authorization header");
    if (values.grpc !== undefined && positionals.length > 2) throw new UsageError("--grpc names the method of a call; give no other");
    const headers = parseHeaderLines(values.header ?? []);
    const { snapshot, problems } = readDocument(file);
    const mistakes = snapshot === null ? problems : securityProblems(snapshot);
    if (snapshot === null || mistakes.length > 0) {
      for (const { where, message, severity } of mistakes) err.write(`${severity}: ${where}: ${message}\n`);
      return EXIT.failed;
    }
    const request = values.grpc === undefined ? { method, url, headers } : { grpc: values.grpc, url, headers };
    const explanation = await explainWith(snapshot, request);
    const caller = { from: values.from, claims: values.claims, peerAddress: values["peer-address"] };
    const inbound = explainCalled(explanation, snapshot, { method: values.grpc === undefined ? method : "POST", headers, caller });
    if (values.json) out.write(`${JSON.stringify({ ...explanation, inbound })}\n`);
    else {
      const called = inbound.flatMap((one) => calledText(one, caller));
      out.write(
        asText(
          explanation,
          values.grpc === undefined ? `${method} ${url}` : `${values.grpc} of ${url}`,
          meantBy(new URL(url).host, snapshot),
          called,
        ),
      );
    }
    return EXIT.ok;
  },
};

/** A mesh that can decide and cannot send. */
const NO_TRANSPORT: Transport = {
  open() {
    throw new Error("explain sends nothing");
  },
};

async function explainWith(snapshot: MeshSnapshot, request: ExplainRequest & { readonly headers: HeaderLines }): Promise<Explanation> {
  const source = {
    name: "document",
    watch(sink: { update(snapshot: MeshSnapshot): void }) {
      sink.update(snapshot);
      return () => {};
    },
  };
  await using mesh = createMesh({
    config: source,
    transport: NO_TRANSPORT,
    ...(assumesIdentity(snapshot) ? { identity: ASSUMED_IDENTITY } : {}),
  });
  try {
    return mesh.explain(request);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message.replace("mesh.explain: ", ""));
    throw error;
  }
}

/** A host of the document that was probably meant. */
function meantBy(host: string, { virtualHosts }: MeshSnapshot): string | null {
  return nearest(host, new Set(virtualHosts.flatMap(({ authorities }) => authorities)));
}

function asText(
  { virtualHost, egress, routes, alternatives }: Explanation,
  what: string,
  meant: string | null,
  called: readonly string[],
): string {
  const lines = [what];
  if (virtualHost) lines.push(`  service ${virtualHost.name}, by its host ${virtualHost.claim} (${virtualHost.from})`);
  else {
    const then = egress === "allow" ? "it goes straight out" : "it fails with unknown_service";
    lines.push(`  no service claims this host; egress is ${egress}: ${then}${meant === null ? "" : `; did you mean "${meant}"?`}`);
  }
  for (const { name, from, matched, why } of routes) lines.push(`  route ${name} ${matched ? "taken" : "passed"}: ${why} (${from})`);
  for (const [index, decision] of alternatives.entries()) {
    if (alternatives.length > 1) lines.push(`  ${index === 0 ? "either" : "or"}`);
    if (decision.kind !== "unclaimed") lines.push(...describe(decision).map((line) => `  ${line}`));
  }
  lines.push(...called);
  lines.push(
    "  not known here: which endpoints are healthy, how loaded they are, and the state of breakers and budgets in a running process",
  );
  return `${lines.join("\n")}\n`;
}

function describe(decision: ExplainedDecision): string[] {
  switch (decision.kind) {
    case "unclaimed":
      return ["not claimed"];
    case "no-route":
      return ["no route matches: fails with no_route"];
    case "redirect":
      return [`answers ${decision.status} with location ${decision.location}`];
    case "respond":
      return [`answers ${decision.status}${decision.body === null ? "" : ` with ${JSON.stringify(decision.body)}`}`];
    case "forward":
      return [
        `sends ${decision.path} for ${decision.authority}`,
        ...Object.entries(decision.requestHeaders).map(([name, value]) => `  with ${name}: ${String(value)}`),
        `timeout ${decision.timeout ?? "none"}; retry ${decision.retry}`,
        ...said({ fault: decision.fault, fallback: decision.fallback, mirrors: decision.mirrors.join("; ") || null }),
        ...decision.backends.flatMap(describeBackend),
      ];
    default:
      return decision satisfies never;
  }
}

function describeBackend(backend: ExplainedBackend): string[] {
  const { breaker, outlier, limits, failure, whenEmpty } = backend;
  return [
    `${Math.round(backend.percent * 100) / 100}% to ${backend.backend} (${backend.from})`,
    ...(backend.refuses === null ? [] : [`  refused with ${backend.refuses}`]),
    `  connections: ${backend.tls}`,
    `  balancer ${backend.balancer}; breaker ${breaker}; outlier detection ${outlier}; ${limits}; failure ${failure}; without endpoints ${whenEmpty}`,
    `  endpoints ${backend.endpoints.map(({ address }) => address).join(", ") || "none"}`,
  ];
}

function said(parts: Readonly<Record<string, string | null>>): string[] {
  return Object.entries(parts).flatMap(([name, text]) => (text === null ? [] : [`${name} ${text}`]));
}
