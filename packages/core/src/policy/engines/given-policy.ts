import { Cancel } from "../../cancel.ts";
import type { Deadlines } from "../../deadlines.ts";
import { discard } from "../../discard.ts";
import { MeshError } from "../../errors.ts";
import { type FireBreaker, isExecutePolicy, type NamedPolicy } from "../../extension-options.ts";
import { extensionFailed } from "../../guard-layer.ts";
import type { Handler, Layer } from "../../layer.ts";
import { derive, type MeshRequest, type MeshResponse } from "../../message.ts";
import { verdictOf } from "../../outcome.ts";
import { replayOf } from "../replay.ts";
import { watchLate } from "./late-result.ts";
import { ofPolicy } from "./policy-errors.ts";

/** What a given policy sees of an answer that counts as a failure. The caller gets the answer itself, if the policy does not repeat. */
export class FailedAnswer extends Error {
  override readonly name = "FailedAnswer";
  readonly status: number;
  readonly headers: MeshResponse["headers"];

  constructor({ status, headers }: MeshResponse) {
    super(`the answer ${status} counts as a failure`);
    this.status = status;
    this.headers = headers;
  }
}

export interface GivenPolicySettings {
  readonly name: string;
  readonly policy: NamedPolicy;
  readonly deadlines: Deadlines;
  /** Whether what was called may be called again. */
  mayRepeat(request: MeshRequest): boolean;
  /** What the policy is shown of an answer that is no failure. */
  shown(request: MeshRequest, response: MeshResponse): unknown;
  /** The response for something that the policy made up; null if that is none. */
  answer(request: MeshRequest, value: unknown): MeshResponse | null;
}

/**
 * Puts a policy of the application's own around the tries of a request. It is held to what the mesh promises: once the caller left, or
 * the request is over, nothing is sent again, however long the policy's backoff runs on; what may not be repeated is sent once; an
 * answer that nobody takes is discarded.
 */
export function givenPolicy(settings: GivenPolicySettings): Layer {
  return (next) => (request) => new GivenCall(settings, request, next).start();
}

class GivenCall {
  readonly #settings: GivenPolicySettings;
  readonly #request: MeshRequest;
  readonly #next: Handler;
  readonly #replay: ReturnType<typeof replayOf>;
  /** Tells a policy that listens that it is over. */
  readonly #stop = new AbortController();
  #runs = 0;
  #isOver = false;
  #overReason: unknown = undefined;
  #current: Cancel | null = null;
  /** Of the last run: what it answered, what the policy was shown of that, and how it failed. */
  #response: MeshResponse | null = null;
  #shown: unknown = undefined;
  #failure: unknown = undefined;

  constructor(settings: GivenPolicySettings, request: MeshRequest, next: Handler) {
    this.#settings = settings;
    this.#request = request;
    this.#next = next;
    this.#replay = replayOf(request.body);
  }

  start(): Promise<MeshResponse> {
    const { cancel } = this.#request;
    return new Promise((resolve, reject) => {
      const leave = (reason: unknown) => {
        this.#end(reason, null);
        reject(reason);
      };
      cancel.onCancel(leave);
      this.#execute()
        .then(
          (value) => this.#responseFor(value),
          (error: unknown) => this.#responseOf(error),
        )
        .then(
          (response) => {
            cancel.offCancel(leave);
            if (this.#isOver) return;
            this.#end(gaveUp(this.#settings.name), response);
            resolve(response);
          },
          (error: unknown) => {
            cancel.offCancel(leave);
            this.#end(error, null);
            reject(error);
          },
        );
    });
  }

  async #execute(): Promise<unknown> {
    const { policy } = this.#settings;
    return isExecutePolicy(policy) ? policy.execute((context) => this.#run(signalOf(context)), this.#stop.signal) : this.#fire(policy);
  }

  /** The caller has its answer even where the breaker has to wait for it. */
  #fire(breaker: FireBreaker): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = () => {
        const late = watchLate(breaker);
        return this.#run(undefined).then(
          async (value) => {
            const end = late();
            if (end) resolve(value);
            await end;
            return value;
          },
          async (error) => {
            const end = late();
            if (end) reject(error);
            await end;
            throw error;
          },
        );
      };
      breaker.fire(call).then((value) => (this.#runs > 0 ? resolve(value) : reject(this.#neverCalled())), reject);
    });
  }

  #neverCalled(): MeshError {
    const { name } = this.#settings;
    return new MeshError("extension_failed", `the policy ${name} did not call what it was given; make the breaker around (call) => call()`);
  }

  async #run(signal: AbortSignal | undefined): Promise<unknown> {
    const { cancel: whole } = this.#request;
    if (whole.isCancelled) throw whole.reason;
    if (this.#isOver) throw this.#overReason;
    if (this.#runs > 0 && !this.#mayRepeat()) throw this.#failure;
    this.#runs++;
    this.#discard();
    const cancel = new Cancel();
    this.#current = cancel;
    const unlink = this.#link(cancel, signal);
    try {
      const response = await this.#next(derive(this.#request, { body: this.#replay.next(), cancel }));
      return this.#take(response, cancel);
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      // Policies abort their signals when a run has ended well, too.
      unlink();
    }
  }

  /** Stops a run with its request, and where the policy gives it up. */
  #link(cancel: Cancel, signal: AbortSignal | undefined): () => void {
    const { cancel: whole } = this.#request;
    const follow = (reason: unknown) => cancel.cancel(reason);
    const giveUp = () => cancel.cancel(gaveUp(this.#settings.name));
    whole.onCancel(follow);
    if (signal?.aborted) giveUp();
    signal?.addEventListener("abort", giveUp);
    return () => {
      signal?.removeEventListener("abort", giveUp);
      if (this.#response === null || this.#response.body.hasEnded) whole.offCancel(follow);
      else this.#response.body.whenEnd(() => whole.offCancel(follow));
    };
  }

  #take(response: MeshResponse, cancel: Cancel): unknown {
    if (this.#isOver || this.#current !== cancel) {
      discard(response, this.#settings.deadlines);
      throw this.#request.cancel.isCancelled ? this.#request.cancel.reason : gaveUp(this.#settings.name);
    }
    this.#response = response;
    const attempt = this.#request.context.attempts.at(-1);
    if (attempt && verdictOf(attempt) === "failure") throw new FailedAnswer(response);
    this.#shown = this.#settings.shown(this.#request, response);
    return this.#shown;
  }

  #mayRepeat(): boolean {
    const { context } = this.#request;
    const isAllowed =
      context.options.retry !== false &&
      context.scope?.isRetry !== true &&
      this.#replay.isReplayable &&
      this.#settings.mayRepeat(this.#request);
    // A policy that listens need not try again and again what will not be done.
    if (!isAllowed) this.#stop.abort(this.#failure);
    return isAllowed;
  }

  #responseFor(value: unknown): MeshResponse {
    if (this.#response !== null && value === this.#shown) return this.#response;
    const answer = this.#settings.answer(this.#request, value);
    if (answer) return answer;
    throw new MeshError("extension_failed", `the policy ${this.#settings.name} gave something that is no response`);
  }

  #responseOf(error: unknown): MeshResponse {
    if (error instanceof FailedAnswer && this.#response !== null) return this.#response;
    if (error instanceof MeshError || error === this.#failure) throw error;
    throw ofPolicy(error, this.#settings.name) ?? extensionFailed(`the policy ${this.#settings.name}`, error);
  }

  #end(reason: unknown, response: MeshResponse | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#overReason = reason;
    if (this.#response !== null && this.#response !== response) this.#discard();
    if (this.#response === null) this.#current?.cancel(reason);
    if (response === null) this.#replay.close();
    else response.body.whenEnd(() => this.#replay.close());
    this.#stop.abort(reason);
  }

  #discard(): void {
    const response = this.#response;
    this.#response = null;
    this.#shown = undefined;
    if (response) discard(response, this.#settings.deadlines);
  }
}

function gaveUp(policy: string): MeshError {
  return new MeshError("attempt_timeout", `the policy ${policy} gave the try up`);
}

function signalOf(context: unknown): AbortSignal | undefined {
  const signal = (context as { signal?: unknown } | null | undefined)?.signal;
  return signal instanceof AbortSignal ? signal : undefined;
}
