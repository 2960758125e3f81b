import type { Cancel } from "../cancel.ts";
import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import type { ResourceLimits } from "../model/resource.ts";
import type { ProtectedContext } from "./protect.ts";

/** Places for calls that run at once, and the calls that wait for one, first come first served. Survives configuration changes. */
export class CallSlots {
  readonly #name: string;
  #limits: ResourceLimits;
  #running = 0;
  readonly #waiting = new Set<() => void>();

  constructor(name: string, limits: ResourceLimits) {
    this.#name = name;
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  configure(limits: ResourceLimits): void {
    this.#limits = limits;
    this.#admit();
  }

  /** Resolves when it may run; null: at once. Rejects where too many wait already, and with the reason where it is cancelled. */
  take(cancel: Cancel): Promise<void> | null {
    if (this.#hasRoom) {
      this.#running++;
      return null;
    }
    const { maxRequests, maxPending } = this.#limits;
    if (this.#waiting.size >= maxPending) {
      const waiting = maxPending === 0 ? "" : ` and ${this.#waiting.size} wait, limits.maxPending is ${maxPending}`;
      return Promise.reject(
        new MeshError("overloaded", `${this.#name}: ${this.#running} calls run, limits.maxRequests is ${maxRequests}${waiting}`),
      );
    }
    return new Promise((resolve, reject) => {
      const leave = (reason: unknown) => {
        this.#waiting.delete(enter);
        reject(reason);
      };
      const enter = () => {
        cancel.offCancel(leave);
        resolve();
      };
      this.#waiting.add(enter);
      cancel.onCancel(leave);
    });
  }

  release(): void {
    this.#running--;
    this.#admit();
  }

  get #hasRoom(): boolean {
    const { maxRequests } = this.#limits;
    return maxRequests === null || this.#running < maxRequests;
  }

  #admit(): void {
    for (const enter of this.#waiting) {
      if (!this.#hasRoom) return;
      this.#waiting.delete(enter);
      this.#running++;
      enter();
    }
  }
}

/**
 * Lets so many calls run at once. A call holds its place until its function has ended, even where the caller gave up before: what runs
 * is what a limit is there to bound.
 */
export function callLimit(slots: CallSlots): Layer {
  return (next) => async (request) => {
    await slots.take(request.cancel);
    try {
      return await next(request);
    } finally {
      (request.context as ProtectedContext).whenIdle(() => slots.release());
    }
  };
}
