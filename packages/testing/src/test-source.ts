import {
  type Clock,
  type ControlSource,
  fileSource,
  isControlSource,
  MeshError,
  type MeshSnapshot,
  type Problem,
  type SourceSink,
  staticSource,
} from "@heddle/core";
import { KnownAddresses } from "./known-addresses.ts";

/**
 * The configuration of a test mesh: a document, a snapshot, a path that is read once, or a source of the test's own. Remembers what it
 * told last, to say what is in force.
 */
export class TestSource implements ControlSource {
  readonly name: string;
  /** The last state that was told. */
  told: MeshSnapshot | null = null;
  /** Of all that was told, in force or waiting for names. */
  readonly addresses: KnownAddresses;
  readonly #source: ControlSource;
  readonly #update: ((configuration: object) => void) | null;
  #problems: Problem[] = [];
  /** What `refuse` threw last. */
  #refused: Problem[] = [];

  constructor(config: string | object, clock: Clock) {
    this.addresses = new KnownAddresses(isControlSource(config));
    if (isControlSource(config)) {
      this.#source = config;
      this.#update = null;
    } else {
      const source = typeof config === "string" ? readOnce(config, clock) : staticSource(config, "document");
      this.#source = source;
      this.#update = (configuration) => source.update(configuration);
    }
    this.name = this.#source.name;
  }

  watch(sink: SourceSink, clock: Clock): () => void {
    const update = (snapshot: MeshSnapshot) => {
      this.told = snapshot;
      this.addresses.add(snapshot);
      sink.update(snapshot);
    };
    const problem = (problem: Problem) => {
      // Heard here as well: the mesh tells of a mistake once, however often it is made.
      this.note(problem);
      sink.problem(problem);
    };
    return this.#source.watch({ update, problem }, clock);
  }

  /** Throws TypeError where the configuration is a source of the test's own. */
  update(configuration: object): void {
    if (!this.#update) throw new TypeError("update: the configuration of this mesh comes from a source of yours; change it there");
    this.#update(configuration);
  }

  /** Problems of the mesh go by here; `refuse` throws those that came since. */
  note({ where, message, severity }: Problem): void {
    const isKnown = this.#problems.some((known) => known.where === where && known.message === message);
    if (severity === "error" && !isKnown) this.#problems.push({ where, message, severity });
  }

  /**
   * Throws one `invalid_config` with every mistake noted since the last call, if there was one. `isFailing`: what was told last is not
   * in force; without a new mistake it was refused for the same ones as before.
   */
  refuse(isFailing = false): void {
    const mistakes = this.#problems.length > 0 || !isFailing ? this.#problems : this.#refused;
    this.#problems = [];
    this.#refused = mistakes;
    if (mistakes.length > 0) throw invalid(mistakes);
  }
}

function readOnce(path: string, clock: Clock): ReturnType<typeof staticSource> {
  const snapshots: MeshSnapshot[] = [];
  const problems: Problem[] = [];
  const sink = {
    update: (snapshot: MeshSnapshot) => void snapshots.push(snapshot),
    problem: (problem: Problem) => void problems.push(problem),
  };
  fileSource(path).watch(sink, clock)();
  const [snapshot] = snapshots;
  if (!snapshot) throw invalid(problems);
  return staticSource(snapshot, path);
}

/** Who would wait for a better configuration in a running mesh is told of this one by an error. */
const WAITING = /; the mesh waits for a (?:good|valid) one$/;

function invalid(mistakes: readonly Problem[]): MeshError {
  const lines = mistakes.map(({ where, message }) => `  ${where}: ${message.replace(WAITING, "")}`);
  return new MeshError("invalid_config", `the configuration was refused:\n${lines.join("\n")}`);
}
