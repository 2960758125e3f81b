import { type CertificateState, type Clock, type Problem, type Random, seededRandom } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { leaf, NOW, root } from "../../core/test/authority.ts";
import { virtualClock } from "../../core/test/virtual-clock.ts";
import { fakeAgent, keyOf, sentSvid, WEB } from "../test/fake-agent.ts";
import { encodeMessage, type SentMessage } from "../test/workload-encoder.ts";
import { workloadSource } from "./workload-source.ts";

const shop = root("shop");
const TEXT = "unix:///run/agent.sock";
const SVID = sentSvid(shop);
const ANY = encodeMessage({ svids: [SVID] });
const fresh = (and: Omit<SentMessage, "svids"> = {}) => encodeMessage({ svids: [sentSvid(shop)], ...and });

interface Given {
  readonly random?: Random;
  readonly isRemote?: boolean;
  readonly onUpdate?: () => void;
}

function watched({ random = () => 1, isRemote = false, onUpdate = () => {} }: Given = {}) {
  const agent = fakeAgent();
  const time = virtualClock();
  const clock: Clock = {
    now: () => time.now(),
    wallTime: () => NOW + time.now(),
    setTimer: (delayMs, callback, idle) => time.setTimer(delayMs, callback, idle),
    clearTimer: (timer) => time.clearTimer(timer),
  };
  const states: CertificateState[] = [];
  const problems: Problem[] = [];
  const source = workloadSource({
    address: { text: TEXT, target: "unix:/run/agent.sock", isRemote },
    choice: { id: null, hint: null },
    backoff: { baseMs: 500, maxMs: 30_000 },
    responseTimeoutMs: 60_000,
    openStream: agent.openStream,
  });
  const update = (state: CertificateState) => {
    states.push(state);
    onUpdate();
  };
  const close = source.watch({ update, problem: (problem) => problems.push(problem) }, { clock, random, service: null });
  return { agent, time, states, problems, close, source };
}

/** How long the source waits before it opens the next stream, in ms. */
async function waits({ agent, time }: ReturnType<typeof watched>, atMost: number): Promise<number> {
  const before = agent.opened;
  for (let ms = 1; ms <= atMost; ms++) {
    await time.advance(1);
    if (agent.opened > before) return ms;
  }
  return Number.POSITIVE_INFINITY;
}

test("is named for people", () => {
  expect(watched().source.name).toBe(`workload API ${TEXT}`);
});

describe("messages", () => {
  test("tell the state, each in place of the one before, and nothing where nothing changed", () => {
    const { agent, states, problems } = watched();
    expect(states).toEqual([]);
    agent.send(ANY);
    agent.send(ANY);
    expect(states.map((state) => state.certificate.id.text)).toEqual([WEB]);
    agent.send(fresh());
    expect(states).toHaveLength(2);
    expect(states[1]?.bundles).toBe(states[0]?.bundles);
    agent.send(fresh({ federated: { "spiffe://partner.example": root("partner").der } }));
    agent.send(ANY);
    expect(states.map(({ bundles }) => bundles.byTrustDomain.size)).toEqual([1, 1, 2, 1]);
    expect(problems).toEqual([]);
    expect(agent.opened).toBe(1);
  });

  test("that cannot be read leave the last state in force on the same stream, and are told once", () => {
    const { agent, states, problems } = watched();
    agent.send(ANY);
    agent.send(Buffer.from("garbage"));
    agent.send(Buffer.from("garbage"));
    expect(problems).toEqual([
      {
        where: TEXT,
        message: expect.stringMatching(
          /^the last message cannot be read: .*; waiting for the next; spiffe:\/\/shop\.example\/web stays in force until 2026-01-15T13:00:00Z$/,
        ),
        severity: "warning",
      },
    ]);
    expect(states).toHaveLength(1);
    agent.send(encodeMessage({ svids: [{ ...SVID, key: keyOf(leaf(shop, WEB)) }] }));
    expect(problems[1]?.message).toMatch(/^the last message is refused: the key of the SVID .* does not belong to the certificate/);
    agent.send(ANY);
    expect(states).toHaveLength(2);
    expect(states[1]).toEqual(states[0]);
    agent.send(Buffer.from("garbage"));
    expect(problems).toHaveLength(3);
    expect([agent.opened, agent.open]).toEqual([1, 1]);
  });

  test("that cannot be read are an error while there is no identity", () => {
    const { agent, problems } = watched();
    agent.send(Buffer.alloc(0));
    expect(problems).toEqual([
      {
        where: TEXT,
        message:
          "the last message cannot be read: it holds no SVID, expected at least one; waiting for the next; until then this process has no identity",
        severity: "error",
      },
    ]);
  });

  test("with a foreign bundle that cannot be read are in force, and what is wrong is told once, after them", () => {
    const told: string[] = [];
    const { agent, states, problems } = watched({ onUpdate: () => told.push(`problems: ${problems.length}`) });
    const federated = { "spiffe://partner.example": Buffer.from("garbage") };
    agent.send(encodeMessage({ svids: [SVID], federated }));
    agent.send(encodeMessage({ svids: [SVID], federated }));
    expect(told).toEqual(["problems: 0"]);
    expect(problems.map(({ message, severity }) => [message, severity])).toEqual([
      [expect.stringContaining("nobody of partner.example"), "warning"],
    ]);
    agent.send(ANY);
    expect(states).toHaveLength(2);
    expect(problems).toHaveLength(1);
  });

  test("with revocation lists say once that these are not used", () => {
    const { agent, states, problems } = watched();
    agent.send(fresh({ crls: [Buffer.from("crl")] }));
    agent.send(fresh({ crls: [Buffer.from("crl")] }));
    expect(states).toHaveLength(2);
    expect(problems).toEqual([
      { where: TEXT, severity: "warning", message: expect.stringContaining("revocation lists, which are not used") },
    ]);
  });
});

describe("a stream that ends", () => {
  test.each([
    ["UNAVAILABLE", "no such file", 'the agent cannot be reached or does not answer (UNAVAILABLE, "no such file"); trying again'],
    ["INTERNAL", "", "the agent cannot be reached or does not answer (INTERNAL); trying again"],
    ["OK", "", "the agent ended the stream; trying again"],
    [
      "PERMISSION_DENIED",
      "no identity issued",
      'the agent issues no identity to this process (PERMISSION_DENIED, "no identity issued"); expected a registration entry that this process matches; trying again',
    ],
    [
      "INVALID_ARGUMENT",
      "security header missing",
      'what listens there does not serve the SPIFFE Workload API as it is specified (INVALID_ARGUMENT, "security header missing"); trying again',
    ],
    ["UNIMPLEMENTED", "", "what listens there does not serve the SPIFFE Workload API as it is specified (UNIMPLEMENTED); trying again"],
  ])("with %s is told in words", (code, details, message) => {
    const { agent, problems } = watched();
    agent.end(code, details);
    expect(problems).toEqual([{ where: TEXT, message: `${message}; until then this process has no identity`, severity: "error" }]);
  });

  test("is told once, again when it is another trouble, and again after it was over", async () => {
    const { agent, time, states, problems } = watched();
    agent.send(ANY);
    for (const code of ["OK", "UNAVAILABLE", "UNAVAILABLE", "PERMISSION_DENIED", "PERMISSION_DENIED", "UNAVAILABLE"]) {
      agent.end(code);
      await time.advance(30_000);
    }
    expect(problems.map(({ message }) => message.slice(0, 30))).toEqual([
      "the agent ended the stream; tr",
      "the agent issues no identity t",
      "the agent cannot be reached or",
    ]);
    expect(new Set(problems.map(({ severity }) => severity))).toEqual(new Set(["warning"]));
    agent.send(ANY);
    expect(states).toHaveLength(2);
    agent.end("UNAVAILABLE");
    expect(problems).toHaveLength(4);
  });

  test("is followed by another after an exponential wait with full jitter", async () => {
    const longest: number[] = [];
    const worst = watched();
    for (let failure = 1; failure <= 9; failure++) {
      worst.agent.end("UNAVAILABLE");
      longest.push(await waits(worst, 40_000));
    }
    expect(longest).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    const random = seededRandom(7);
    const jittered = watched({ random: seededRandom(7) });
    for (let failure = 1; failure <= 6; failure++) {
      jittered.agent.end("UNAVAILABLE");
      expect(await waits(jittered, 40_000)).toBe(Math.max(1, Math.ceil(random() * 500 * 2 ** (failure - 1))));
    }
  });

  test("after a long life begins the waits anew, after a short one does not, whatever it said", async () => {
    const watching = watched();
    for (const expected of [500, 1_000, 2_000]) {
      watching.agent.send(fresh());
      watching.agent.end("OK");
      expect(await waits(watching, 40_000)).toBe(expected);
    }
    watching.agent.send(fresh());
    await watching.time.advance(30_000);
    watching.agent.end("OK");
    expect(await waits(watching, 40_000)).toBe(500);
  });

  test("with a refusal that trying again does not change is followed by another after minutes", async () => {
    for (const [random, expected] of [
      [() => 0, 300_000],
      [() => 1, 150_000],
    ] as const) {
      const watching = watched({ random });
      watching.agent.end("UNIMPLEMENTED");
      expect(await waits(watching, 300_001)).toBe(expected);
    }
  });

  test("and another that answers make the identity whole again", async () => {
    const { agent, time, states } = watched();
    agent.end("UNAVAILABLE");
    expect(agent.open).toBe(0);
    await time.advance(500);
    agent.send(ANY);
    expect(states).toHaveLength(1);
  });
});

describe("a stream that says nothing", () => {
  test("is given up after the time for its first message, and another is opened", async () => {
    const { agent, time, problems } = watched();
    await time.advance(59_999);
    expect([agent.open, problems.length]).toEqual([1, 0]);
    await time.advance(1);
    expect(agent.open).toBe(0);
    expect(problems[0]?.message).toMatch(
      /^the agent cannot be reached or does not answer \(DEADLINE_EXCEEDED, "no message within 60000 ms"\)/,
    );
    await time.advance(500);
    expect(agent.opened).toBe(2);
    expect(agent.open).toBe(1);
  });

  test("after its first message, whatever that was, may stay silent", async () => {
    for (const first of [ANY, Buffer.from("garbage")]) {
      const { agent, time } = watched();
      agent.send(first);
      await time.advance(10 * 3_600_000);
      expect([agent.open, agent.opened]).toEqual([1, 1]);
    }
  });
});

describe("closing", () => {
  test("frees the stream and every timer, at whatever moment, and nothing is told after it", async () => {
    for (const bring of [
      (_: ReturnType<typeof watched>) => {},
      ({ agent }: ReturnType<typeof watched>) => agent.send(ANY),
      ({ agent }: ReturnType<typeof watched>) => agent.end("UNAVAILABLE"),
      ({ agent }: ReturnType<typeof watched>) => agent.end("UNIMPLEMENTED"),
    ]) {
      const watching = watched();
      const { agent, time, states, problems, close } = watching;
      bring(watching);
      const told = states.length + problems.length;
      close();
      close();
      expect([agent.open, time.pendingTimers]).toEqual([0, 0]);
      agent.send(fresh());
      agent.end("UNAVAILABLE");
      await time.advance(1_000_000);
      expect(states.length + problems.length).toBe(told);
      expect([agent.open, time.pendingTimers]).toEqual([0, 0]);
    }
  });

  test("within an update ends what the same message would have said next", () => {
    let close = () => {};
    const watching = watched({ onUpdate: () => close() });
    close = watching.close;
    watching.agent.send(fresh({ crls: [Buffer.from("crl")], federated: { "spiffe://partner.example": Buffer.from("garbage") } }));
    expect(watching.states).toHaveLength(1);
    expect(watching.problems).toEqual([]);
  });
});

test("an agent behind a network is warned of once", async () => {
  const { agent, time, problems } = watched({ isRemote: true });
  agent.end("OK");
  await time.advance(500);
  expect(problems.map(({ message }) => message)).toEqual([
    "private keys are sent to this process over a network, without encryption; expected a socket of this host",
    expect.stringContaining("the agent ended the stream"),
  ]);
});
