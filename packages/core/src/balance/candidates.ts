import type { EndpointState } from "../endpoint/endpoint.ts";
import type { Candidate } from "../extension-options.ts";

/** What code of the application's own sees of an endpoint: its figures, and nothing to change them by. */
class EndpointCandidate implements Candidate {
  readonly #state: EndpointState;

  constructor(state: EndpointState) {
    this.#state = state;
  }

  static stateOf(candidate: unknown): EndpointState | null {
    return candidate instanceof EndpointCandidate ? candidate.#state : null;
  }

  get address(): string {
    return this.#state.address;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#state.endpoint.labels;
  }

  get weight(): number {
    return this.#state.endpoint.weight;
  }

  get inFlight(): number {
    return this.#state.inFlight;
  }

  get latencyMs(): number | null {
    return Number.isNaN(this.#state.estimateMs) ? null : this.#state.estimateMs;
  }
}

/** The same endpoint is the same candidate every time, and unchanged endpoints are the same array. */
export class Candidates {
  readonly #views = new WeakMap<EndpointState, Candidate>();
  #states: readonly EndpointState[] = [];
  #candidates: readonly Candidate[] = [];
  #known: ReadonlySet<EndpointState> = new Set();

  of(states: readonly EndpointState[]): readonly Candidate[] {
    if (states !== this.#states) {
      this.#states = states;
      this.#candidates = Object.freeze(states.map((state) => this.one(state)));
      this.#known = new Set(states);
    }
    return this.#candidates;
  }

  one(state: EndpointState): Candidate {
    let view = this.#views.get(state);
    if (!view) {
      view = new EndpointCandidate(state);
      this.#views.set(state, view);
    }
    return view;
  }

  /** The endpoint that a candidate of the last array stands for; null for anything else. */
  stateOf(candidate: unknown): EndpointState | null {
    const state = EndpointCandidate.stateOf(candidate);
    return state !== null && this.#known.has(state) ? state : null;
  }
}
