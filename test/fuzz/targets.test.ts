import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { expect } from "vitest";
import { dnsAddress } from "../../packages/core/src/control/dns-address.ts";
import { splitAuthority } from "../../packages/core/src/control/document/formats.ts";
import { parseAddress } from "../../packages/http/src/dial.ts";
import { requestTarget } from "../../packages/http/src/node-target.ts";
import { parsePath, parseTarget, withQuery } from "../../packages/http/src/target.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { HOSTILE_NAMES, hostileText, piecesOf } from "./hostile.ts";

const HOST_PIECES = [
  "a",
  "reviews",
  "B",
  "-",
  "_",
  ".",
  "..",
  "1",
  "127.0.0.1",
  "0x7f",
  "[::1]",
  "[",
  "]",
  "::1",
  "xn--",
  "\u00fc",
  "%41",
  "fe80::1%eth0",
];
const host = fc.oneof(piecesOf(HOST_PIECES, 5), hostileText(2), fc.constantFrom("reviews", "reviews.default.svc", "[::1]", "10.0.0.1"));
const port = fc.oneof(
  fc.constant(""),
  fc.integer({ min: -1, max: 70_000 }).map((number) => `:${number}`),
  fc.constantFrom(":", ":0x50", ":1e3", ": 80", ":080", ":+80"),
);
const authority = fc.tuple(host, port).map((parts) => parts.join(""));
const path = fc.oneof(
  piecesOf(["/", "/..", "/.", "a", "?", "#", "%2e", "%", "%zz", " ", "@", "\\", "\t", "\r\n", "\u00fc", "\ud800", "=", "&", ";", ":"], 10),
  hostileText(4),
);

fuzz(
  "reads a URL as a URL parser does, or refuses it with a TypeError",
  fc
    .tuple(
      fc.constantFrom("http://", "https://", "HTTP://", "http:", "http:/", "ftp://", "ws://", "//", "", "http://u:p@", "http://@"),
      authority,
      path,
    )
    .map((parts) => parts.join("")),
  (url) => {
    const expected = URL.parse(url);
    const isTaken = expected !== null && /^https?:$/.test(expected.protocol) && expected.username === "" && expected.password === "";
    if (!isTaken) {
      expect(() => parseTarget(url), url).toThrow(TypeError);
      return;
    }
    const target = parseTarget(url);
    expect(target, url).toEqual({
      scheme: expected.protocol.slice(0, -1),
      authority: expected.host,
      path: expected.pathname + expected.search,
    });
    expect(/^\/[!-~]*$/.test(target.path), "a path that can be written").toBe(true);
    expect(parseTarget(`${target.scheme}://${target.authority}${target.path}`), "the same again").toEqual(target);
  },
);

fuzz("a path of a service stays on the service, whatever it holds", path, (given) => {
  if (!given.startsWith("/")) {
    expect(() => parsePath(given)).toThrow(TypeError);
    return;
  }
  const expected = new URL(`http://service${given}`);
  expectSame(expected.host, "service");
  expectSame(parsePath(given), expected.pathname + expected.search);
});

const parameter = fc.oneof(hostileText(2), fc.constantFrom(...HOSTILE_NAMES));
const parameterValue = fc.oneof(
  hostileText(2),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, undefined),
  fc.array(hostileText(1), { maxLength: 3 }),
);

fuzz(
  "every parameter of a query arrives once, under its name",
  fc.array(fc.tuple(parameter, parameterValue), { maxLength: 4 }),
  (entries) => {
    const query: Record<string, unknown> = Object.create(null);
    for (const [name, value] of entries) query[name] = value;
    const written = withQuery("/p?first=1", query as Parameters<typeof withQuery>[1]);
    const wellFormed = (value: unknown): string => String(value).toWellFormed();
    const expected = Object.entries(query).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).flatMap((each) =>
        each === undefined || each === null ? [] : [[wellFormed(name), wellFormed(each)]],
      ),
    );
    expect([...new URL(written, "http://service").searchParams]).toEqual([["first", "1"], ...expected]);
    expectSame(/^[!-~]*$/.test(written), true);
  },
);

interface HostAndPort {
  readonly host: string;
  readonly port: number | null;
}

/** By hand, from the reference: a name, an IPv4 address or an IPv6 address in brackets, and perhaps a port of 1 to 65535. */
function authorityModel(value: string): HostAndPort | undefined {
  const end = value.startsWith("[") ? value.indexOf("]") + 1 : value.includes(":") ? value.indexOf(":") : value.length;
  const name = value.slice(0, end);
  const behind = value.slice(end);
  const digits = behind.slice(1);
  const hasPort = behind !== "";
  if (hasPort && (behind[0] !== ":" || digits.length < 1 || digits.length > 5 || [...digits].some((digit) => digit < "0" || digit > "9")))
    return undefined;
  if (hasPort && (Number(digits) < 1 || Number(digits) > 65_535)) return undefined;
  if (!hostModel(name)) return undefined;
  return { host: name.toLowerCase(), port: hasPort ? Number(digits) : null };
}

function hostModel(name: string): boolean {
  if (name.startsWith("[")) return isIPv6(name.slice(1, -1));
  if (name.length < 1 || name.length > 253) return false;
  const labels = name.split(".");
  const last = labels.at(-1) ?? "";
  if (last !== "" && [...last].every((character) => character >= "0" && character <= "9")) return isIPv4(name);
  return labels.every((label) => {
    const inner = "abcdefghijklmnopqrstuvwxyz0123456789_";
    const characters = [...label.toLowerCase()];
    const isSpelt = characters.every((character) => inner.includes(character) || character === "-");
    return isSpelt && label.length >= 1 && label.length <= 63 && !label.startsWith("-") && !label.endsWith("-");
  });
}

fuzz("takes an authority apart exactly if it is one", authority, (value) => {
  // A letter that becomes one of ASCII in lower case (the Kelvin sign) is not written in any host.
  if (/[^\0-\x7f]/.test(value)) return;
  expect(splitAuthority(value), value).toEqual(authorityModel(value));
});

fuzz(
  "dials host:port with a port of 1 to 65535 and nothing else",
  fc.oneof(
    authority,
    authority.map((value) => `unix:${value}`),
  ),
  (value) => {
    if (value.startsWith("unix:")) {
      if (value === "unix:") expect(() => parseAddress(value)).toThrow(TypeError);
      else expectSame(parseAddress(value), { path: value.slice(5) });
      return;
    }
    const colon = value.lastIndexOf(":");
    const digits = value.slice(colon + 1);
    const name = value.slice(0, Math.max(0, colon));
    const isPort = digits.length >= 1 && digits.length <= 5 && [...digits].every((digit) => digit >= "0" && digit <= "9");
    const isOne = isPort && Number(digits) >= 1 && Number(digits) <= 65_535 && name !== "" && name !== "[]";
    if (!isOne) expect(() => parseAddress(value), value).toThrow(TypeError);
    else {
      const bare = name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
      expect(parseAddress(value), value).toEqual({ host: bare, port: Number(digits) });
    }
  },
);

fuzz("a dns: address is its name and its port, without which it is an SRV name", authority, (value) => {
  if (!value.startsWith("dns:")) expect(dnsAddress(value)).toBeNull();
  const found = dnsAddress(`dns:${value}`);
  expect(found === null ? null : found.host + (found.port === null ? "" : `:${found.port}`)).toBe(
    value.replace(/:(\d+)$/, (_all, digits: string) => `:${Number(digits)}`),
  );
});

fuzz(
  "the target of a request that came in is where its first line leads, and the Host field only where that says nothing",
  fc.record({
    method: fc.constantFrom("GET", "OPTIONS", "CONNECT"),
    url: fc.oneof(
      path.map((given) => `/${given}`),
      authority,
      fc.tuple(fc.constantFrom("http://", "HTTPS://"), authority, path).map((parts) => parts.join("")),
      fc.constant("*"),
    ),
    host: fc.oneof(authority, fc.constant(undefined)),
  }),
  ({ method, url, host: field }) => {
    const message = { method, url, headers: { host: field } };
    const target = requestTarget(message as Parameters<typeof requestTarget>[0]);
    const own = (field ?? "").toLowerCase();
    if (url.startsWith("/")) expectSame(target, { authority: own, path: url });
    else if (method === "CONNECT") expectSame(target, { authority: url.toLowerCase(), path: "" });
    else if (!/^https?:\/\//i.test(url)) expectSame(target, { authority: own, path: url });
    else {
      const rest = url.slice(url.indexOf("//") + 2);
      const end = [...rest].findIndex((character) => "/?#".includes(character));
      const name = [...rest].slice(0, end < 0 ? undefined : end).join("");
      expectSame(target.authority, name.toLowerCase());
      // To its very end: a fragment has to be there to be refused.
      const behind = rest.slice(name.length);
      expectSame(target.path, behind.startsWith("/") ? behind : `/${behind}`);
    }
  },
);
