import { renameSync, writeFileSync } from "node:fs";

interface Settings {
  readonly weight: number;
  readonly isPatient: boolean;
  readonly hasRoute: boolean;
  readonly hasLast: boolean;
  readonly isMoved: boolean;
}

const KINDS: readonly ((settings: Settings) => Settings)[] = [
  (settings) => ({ ...settings, weight: settings.weight === 50 ? 80 : 50 }),
  (settings) => ({ ...settings, isPatient: !settings.isPatient }),
  (settings) => ({ ...settings, hasRoute: !settings.hasRoute }),
  (settings) => ({ ...settings, hasLast: !settings.hasLast }),
  (settings) => ({ ...settings, isMoved: !settings.isMoved }),
];

const START: Settings = { weight: 50, isPatient: false, hasRoute: false, hasLast: true, isMoved: false };

/** A document in a file, edited in five ways in turn: weights, policies, a route, an endpoint, labels. */
export class EditedDocument {
  readonly path: string;
  readonly #addresses: readonly string[];
  #settings: Settings = START;
  edits = 0;

  constructor(path: string, addresses: readonly string[]) {
    this.path = path;
    this.#addresses = addresses;
    this.#save();
  }

  edit(): void {
    this.#settings = KINDS[this.edits % KINDS.length]?.(this.#settings) ?? this.#settings;
    this.edits++;
    this.#save();
  }

  /** As an editor saves: never half of a document in place. */
  #save(): void {
    writeFileSync(`${this.path}.draft`, JSON.stringify(documentOf(this.#settings, this.#addresses)));
    renameSync(`${this.path}.draft`, this.path);
  }
}

function documentOf({ weight, isPatient, hasRoute, hasLast, isMoved }: Settings, addresses: readonly string[]): object {
  const present = hasLast ? addresses : addresses.slice(0, -1);
  const version = (index: number) => (index % 2 === 1 || (isMoved && index === addresses.length - 1) ? "v2" : "v1");
  const old = { name: "old", match: { path: { prefix: "/old" } }, respond: { status: 410, body: "gone" } };
  const canary = {
    name: "canary",
    to: [
      { subset: "v1", weight },
      { subset: "v2", weight: 100 - weight },
    ],
    timeout: isPatient ? "12s" : "10s",
  };
  return {
    apiVersion: "heddle/v1",
    services: {
      reviews: {
        retry: { maxRetries: isPatient ? 4 : 3, backoff: { base: "10ms" }, budget: { percent: 100, minPerSecond: 100 } },
        endpoints: present.map((address, index) => ({ address, labels: { version: version(index) } })),
        subsets: { v1: { labels: { version: "v1" } }, v2: { labels: { version: "v2" } } },
        routes: [...(hasRoute ? [old] : []), canary],
      },
    },
  };
}
