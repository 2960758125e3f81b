export interface Asked {
  readonly kind: "take all" | "give back" | "call" | "serve";
  /** Calls to make at once after that. */
  readonly count?: number;
}

export interface CallsTold {
  readonly calls: readonly { readonly outcome: string; readonly message: string; readonly tries: number }[];
  readonly states: readonly { readonly state: string; readonly failures: number; readonly ejections: number }[];
  readonly breakers: readonly string[];
  readonly inFlight: number;
  readonly problems: readonly string[];
}

export interface ServingTold {
  readonly port: number;
}
