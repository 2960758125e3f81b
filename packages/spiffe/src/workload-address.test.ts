import { describe, expect, test } from "vitest";
import { parseWorkloadAddress } from "./workload-address.ts";

describe("parseWorkloadAddress", () => {
  test.each([
    ["unix:///run/agent.sock", "unix:/run/agent.sock", false],
    ["unix:/run/agent.sock", "unix:/run/agent.sock", false],
    ["UNIX:///run/agent.sock", "unix:/run/agent.sock", false],
    ["unix:///run/with%20space.sock", "unix:/run/with space.sock", false],
    ["unix:////run/agent.sock", "unix:/run/agent.sock", false],
    ["tcp://127.0.0.1:8081", "ipv4:127.0.0.1:8081", false],
    ["tcp://169.254.1.1:1", "ipv4:169.254.1.1:1", false],
    ["tcp://10.1.2.3:65535", "ipv4:10.1.2.3:65535", true],
    ["tcp://[::1]:8081", "ipv6:[::1]:8081", false],
    ["tcp://[0:0:0:0:0:0:0:1]:8081", "ipv6:[0:0:0:0:0:0:0:1]:8081", false],
    ["tcp://[fe80::1]:8081", "ipv6:[fe80::1]:8081", false],
    ["tcp://[2001:db8::1]:8081", "ipv6:[2001:db8::1]:8081", true],
    ["tcp://[::11]:8081", "ipv6:[::11]:8081", true],
  ])("reads %s", (text, target, isRemote) => {
    expect(parseWorkloadAddress(text)).toEqual({ ok: true, value: { text, target, isRemote } });
  });

  test.each([
    ["", "neither the scheme"],
    ["/run/agent.sock", "neither the scheme"],
    ["http://127.0.0.1:80", "neither the scheme"],
    ["unix:agent.sock", "a relative path"],
    ["unix:", "no path"],
    ["unix://", "no path"],
    ["unix://run/agent.sock", 'the authority "run"'],
    ["unix://user@host/agent.sock", "the authority"],
    ["unix:///run/agent.sock?x=1", "a query or a fragment"],
    ["unix:///run/agent.sock#x", "a query or a fragment"],
    ["unix:///run/", "the path of a folder"],
    ["unix:///", "the path of a folder"],
    ["unix:///run/%zz", "cannot be decoded"],
    ["unix:///run/%00", "cannot be decoded"],
    ["unix:///run/a\nb", "cannot be decoded"],
    [`unix:///${"x".repeat(107)}`, "a path of 108 bytes"],
    ["tcp://localhost:8081", "no IP address"],
    ["tcp://127.1:8081", "no IP address"],
    ["tcp://[127.0.0.1]:8081", "no IP address"],
    ["tcp://[fe80::1%eth0]:8081", "no IP address"],
    ["tcp://::1:8081", "not an IP address and a port"],
    ["tcp://127.0.0.1", "not an IP address and a port"],
    ["tcp://127.0.0.1:", "not an IP address and a port"],
    ["tcp://:8081", "no IP address"],
    ["tcp:127.0.0.1:8081", "not an IP address and a port"],
    ["tcp://127.0.0.1:0", "port 0"],
    ["tcp://127.0.0.1:65536", "port 65536"],
    ["tcp://127.0.0.1:8081/", "not an IP address and a port"],
    ["tcp://127.0.0.1:8081/foo", "not an IP address and a port"],
    ["tcp://127.0.0.1:8081?x", "not an IP address and a port"],
    ["tcp://me@127.0.0.1:8081", "not an IP address and a port"],
    ["tcp://127.0.0.1:8081\n", "not an IP address and a port"],
  ])("refuses %j", (text, reason) => {
    expect(parseWorkloadAddress(text)).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });

  test("takes a path as long as a socket may have", () => {
    expect(parseWorkloadAddress(`unix:///${"x".repeat(106)}`).ok).toBe(true);
  });
});
