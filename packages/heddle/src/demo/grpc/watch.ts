import { once } from "node:events";
import type { JoinedMesh } from "../../join.ts";
import { type Rating, RatingsClient, statusOf } from "./ratings.ts";

/** A stream to one process of `ratings`: asks for one product after the other, each when the one before was answered. */
export class Watch implements Disposable {
  readonly #client: RatingsClient;
  readonly #call: ReturnType<RatingsClient["watch"]>;
  readonly #pids = new Set<number>();
  #end: Error | null = null;
  asked = 0;
  answered = 0;

  constructor(mesh: JoinedMesh) {
    this.#client = mesh.grpc(RatingsClient, "ratings");
    this.#call = this.#client.watch();
    this.#call.on("data", ({ pid }: Rating) => {
      this.answered++;
      this.#pids.add(pid);
    });
    this.#call.on("error", (error) => {
      this.#end = error;
    });
  }

  /** How many processes answered: of one stream never more than one. */
  get processes(): number {
    return this.#pids.size;
  }

  /** Rejects with what the stream ended with, if it ended. */
  async ask(): Promise<void> {
    if (this.#end !== null) throw this.#end;
    this.asked++;
    const answered = once(this.#call, "data");
    this.#call.write(String(this.asked));
    await answered;
  }

  [Symbol.dispose](): void {
    this.#call.cancel();
    this.#client.close();
  }
}

/** What a new stream ends with that asks once. */
export async function statusOfNewWatch(mesh: JoinedMesh): Promise<string> {
  using watch = new Watch(mesh);
  return await statusOf(watch.ask());
}
