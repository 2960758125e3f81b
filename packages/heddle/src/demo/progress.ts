import type { Clock, Timer } from "@heddle/core";

export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** 0 where the terminal does not say. */
  readonly columns?: number;
}

const TICK_MS = 200;
const DEFAULT_COLUMNS = 80;

/** One line that is rewritten on a terminal; elsewhere only what is said with `line`. */
export class Progress {
  readonly #screen: Screen;
  readonly #clock: Clock;
  #describe: () => string = () => "";
  #timer: Timer | null = null;

  constructor(screen: Screen, clock: Clock) {
    this.#screen = screen;
    this.#clock = clock;
    this.#tick();
  }

  /** What the rewritten line says from now on. */
  show(describe: () => string): void {
    this.#describe = describe;
  }

  /** A line that stays. */
  line(text: string): void {
    this.#erase();
    this.#screen.write(`${text}\n`);
  }

  close(): void {
    if (this.#timer) this.#clock.clearTimer(this.#timer);
    this.#erase();
  }

  #tick(): void {
    if (this.#screen.isTTY !== true) return;
    const text = this.#describe().slice(0, (this.#screen.columns || DEFAULT_COLUMNS) - 1);
    this.#erase();
    this.#screen.write(text);
    this.#timer = this.#clock.setTimer(TICK_MS, () => this.#tick());
  }

  #erase(): void {
    if (this.#screen.isTTY === true) this.#screen.write("\r\x1b[K");
  }
}
