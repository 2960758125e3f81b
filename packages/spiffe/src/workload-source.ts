import {
  backoffMs,
  type CertificateListener,
  type CertificateSource,
  type CertificateState,
  type CertificateSurroundings,
  moment,
  quoted,
  type Timer,
} from "@heddle/core";
import type { WorkloadAddress } from "./workload-address.ts";
import { readWorkloadSvids } from "./workload-messages.ts";
import { type ReadState, readState, type SvidChoice } from "./workload-state.ts";
import type { OpenStream, StreamEnd } from "./workload-stream.ts";

export interface WorkloadSettings {
  readonly address: WorkloadAddress;
  readonly choice: SvidChoice;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** For the first message of a stream. */
  readonly responseTimeoutMs: number;
  readonly openStream: OpenStream;
}

/**
 * For what trying again does not change (Workload Endpoint section 6 says not to). Rarely is not never: a process that gives up has to be
 * started anew when somebody mends the agent, or what stands in front of it.
 */
export const HOPELESS_RETRY_MS = 300_000;

/** What is wrong, of which each is told once until it is over or another is. */
type Trouble = "unreachable" | "no identity" | "hopeless" | `message: ${string}`;

export function workloadSource(settings: WorkloadSettings): CertificateSource {
  return {
    name: `workload API ${settings.address.text}`,
    watch(listener, surroundings) {
      const watch = new WorkloadWatch(settings, listener, surroundings);
      return () => watch.close();
    },
  };
}

/** One stream at a time, and between two a wait. */
class WorkloadWatch {
  readonly #settings: WorkloadSettings;
  readonly #listener: CertificateListener;
  readonly #surroundings: CertificateSurroundings;
  #closeStream: () => void = () => {};
  /** Until the first message is due, or until the next stream is opened. */
  #timer: Timer | null = null;
  #openedAtMs = 0;
  #failures = 0;
  #state: CertificateState | null = null;
  #trouble: Trouble | null = null;
  /** What is told once and for all. */
  readonly #told = new Set<string>();
  #isClosed = false;

  constructor(settings: WorkloadSettings, listener: CertificateListener, surroundings: CertificateSurroundings) {
    this.#settings = settings;
    this.#listener = listener;
    this.#surroundings = surroundings;
    if (settings.address.isRemote)
      this.#warnOnce("private keys are sent to this process over a network, without encryption; expected a socket of this host");
    this.#open();
  }

  close(): void {
    this.#isClosed = true;
    this.#release();
  }

  #open(): void {
    if (this.#isClosed) return;
    const { clock } = this.#surroundings;
    const { responseTimeoutMs, openStream } = this.#settings;
    this.#openedAtMs = clock.now();
    this.#setTimer(responseTimeoutMs, () =>
      this.#ended({ code: "DEADLINE_EXCEEDED", details: `no message within ${responseTimeoutMs} ms` }),
    );
    this.#closeStream = openStream({ message: (bytes) => this.#received(bytes), end: (end) => this.#ended(end) });
  }

  #received(bytes: Uint8Array): void {
    this.#clearTimer();
    const issued = readWorkloadSvids(bytes);
    if (!issued.ok) {
      this.#refuse(`cannot be read: ${issued.reason}`);
      return;
    }
    const next = readState(issued.value, this.#settings.choice, this.#state, this.#surroundings.clock.wallTime());
    if (next.ok) this.#tell(next.value);
    else this.#refuse(`is refused: ${next.reason}`);
    if (issued.value.hasRevocationLists)
      this.#warnOnce("the agent sends certificate revocation lists, which are not used: who is on one is not refused for it");
  }

  #tell({ state, problems }: ReadState): void {
    const isNew = state.certificate !== this.#state?.certificate || state.bundles !== this.#state.bundles;
    const trouble: Trouble | null = problems.length === 0 ? null : `message: ${problems.join("; ")}`;
    // Told again, although nothing is new, where it ends trouble.
    if (isNew || (this.#trouble !== null && this.#trouble !== trouble)) {
      this.#state = state;
      this.#trouble = null;
      this.#listener.update(state);
    }
    if (trouble !== null) this.#report(trouble, problems.join("; "));
  }

  #refuse(reason: string): void {
    this.#report(`message: ${reason}`, `the last message ${reason}; waiting for the next`);
  }

  #ended(end: StreamEnd): void {
    const { clock, random } = this.#surroundings;
    const { baseMs, maxMs } = this.#settings.backoff;
    this.#release();
    // One that answers and breaks off at once is not asked ever faster.
    if (clock.now() - this.#openedAtMs >= maxMs) this.#failures = 0;
    this.#failures++;
    const trouble = troubleOf(end);
    const againMs = backoffMs(this.#failures, baseMs, maxMs, random);
    this.#setTimer(trouble === "hopeless" ? HOPELESS_RETRY_MS * (1 - random() / 2) : againMs, () => this.#open());
    this.#report(trouble, `${wordsOf(trouble, end)}; trying again`);
  }

  /** An identity that is in force makes it a warning. */
  #report(trouble: Trouble, words: string): void {
    if (this.#isClosed || this.#trouble === trouble) return;
    this.#trouble = trouble;
    const certificate = this.#state?.certificate;
    const consequence =
      certificate === undefined
        ? "until then this process has no identity"
        : `${certificate.id.text} stays in force until ${moment(certificate.notAfterMs)}`;
    this.#listener.problem({
      where: this.#settings.address.text,
      message: `${words}; ${consequence}`,
      severity: certificate === undefined ? "error" : "warning",
    });
  }

  #warnOnce(message: string): void {
    if (this.#isClosed || this.#told.has(message)) return;
    this.#told.add(message);
    this.#listener.problem({ where: this.#settings.address.text, message, severity: "warning" });
  }

  #setTimer(delayMs: number, callback: () => void): void {
    this.#timer = this.#surroundings.clock.setTimer(
      delayMs,
      () => {
        this.#timer = null;
        callback();
      },
      "idle",
    );
  }

  #clearTimer(): void {
    if (this.#timer !== null) this.#surroundings.clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  #release(): void {
    this.#clearTimer();
    this.#closeStream();
    this.#closeStream = () => {};
  }
}

function troubleOf({ code }: StreamEnd): Exclude<Trouble, `message: ${string}`> {
  switch (code) {
    case "PERMISSION_DENIED":
      return "no identity";
    case "INVALID_ARGUMENT":
    case "UNIMPLEMENTED":
      return "hopeless";
    default:
      return "unreachable";
  }
}

function wordsOf(trouble: Exclude<Trouble, `message: ${string}`>, { code, details }: StreamEnd): string {
  const said = details === "" ? code : `${code}, ${quoted(details)}`;
  switch (trouble) {
    case "no identity":
      return `the agent issues no identity to this process (${said}); expected a registration entry that this process matches`;
    case "hopeless":
      return `what listens there does not serve the SPIFFE Workload API as it is specified (${said})`;
    case "unreachable":
      return code === "OK" ? "the agent ended the stream" : `the agent cannot be reached or does not answer (${said})`;
    default:
      return trouble satisfies never;
  }
}
