import fc from "fast-check";
import { expect } from "vitest";
import { clientAddress } from "../../packages/core/src/authorization/client-address.ts";
import { IpBlocks, ipBlockProblem, parseAddress } from "../../packages/core/src/authorization/terms/ip-block.ts";
import { normalisePath } from "../../packages/core/src/authorization/terms/normalise-path.ts";
import { compileTemplate, templateProblem } from "../../packages/core/src/authorization/terms/path-template.ts";
import type { PathNormalisation } from "../../packages/core/src/model/authorization.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { hostileText, piecesOf } from "./hostile.ts";

const setting = fc.constantFrom<PathNormalisation>("none", "base", "merge-slashes", "decode-and-merge-slashes");
const PIECES = [
  "/",
  "//",
  ".",
  "..",
  "\\",
  "%2e",
  "%2E",
  "%2f",
  "%2F",
  "%5c",
  "%5C",
  "%25",
  "%",
  "%6",
  "%61",
  "%00",
  "?",
  "#",
  ";",
  "a",
  "admin",
  "\u00e9",
];
const path = fc.oneof(
  piecesOf(PIECES, 16).map((text) => `/${text}`),
  piecesOf(PIECES, 8),
  hostileText(8).map((text) => `/${text}`),
  hostileText(4),
);

fuzz(
  "a path is refused, or reads one way for who matches and who serves, however often it is read",
  fc.tuple(path, setting),
  ([text, how]) => {
    const normal = normalisePath(text, how);
    if (normal.kind === "refused") {
      expectSame(normal.status, 400);
      return;
    }
    expectSame(normal.path === text, normal.kind === "unchanged");
    expectSame(normal.path.startsWith(normal.pathname), true);
    expectSame(/[?#]/.test(normal.pathname), false);
    expectSame(normalisePath(normal.path, how), { ...normal, kind: "unchanged" });
    if (how === "none" || normal.pathname === "*") return;
    const segments = normal.pathname.split("/");
    expectSame(segments[0], "", "it begins with a slash");
    expectSame(
      segments.some((segment) => segment === "." || segment === ".."),
      false,
    );
    if (how !== "base") expectSame(segments.slice(1, -1).includes(""), false);
    // Whoever decodes once more finds no folder above, unless a slash was left escaped.
    const again = decodeURIComponent(normal.pathname.replaceAll(/%(?:2F|5C|25)|%[89A-F][0-9A-F]/g, "_"));
    expectSame(again.split("/").includes(".."), false);
  },
);

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  piecesOf(["1", "10", "255", "256", "0", ".", ":", "::", "ffff", "%", "/", "8", "-", " ", ","], 9),
  hostileText(3),
);

fuzz(
  "an address, a block and a list of forwarded addresses are read or refused",
  fc.tuple(address, address, fc.nat({ max: 4 })),
  ([one, other, hops]) => {
    const parsed = parseAddress(one);
    if (parsed !== null) expectSame(/^([0-9a-f]{8}|[0-9a-f]{32})$/.test(parsed), true);
    if (ipBlockProblem(other) === null) expectSame(typeof new IpBlocks([other]).has(parsed ?? ("" as never)), "boolean");
    else expect(() => new IpBlocks([other])).toThrow(TypeError);
    const client = clientAddress([`${one},${other}`, other], parsed, hops);
    if (client.kind === "known" && hops === 1)
      expectSame(client.address, parseAddress(other.slice(other.lastIndexOf(",") + 1).replace(/^[ \t]+|[ \t]+$/g, "")));
  },
);

const template = piecesOf(["/", "{*}", "{**}", "a", "{", "}", "*", ".", "("], 8);

fuzz("a path template is compiled or refused, and takes any path in no time", fc.tuple(template, path), ([text, asked]) => {
  if (templateProblem(text) !== null) expect(() => compileTemplate(text)).toThrow(TypeError);
  else expectSame(typeof compileTemplate(text)(asked), "boolean");
});
