interface InstalledTold {
  /** What each mesh's service answered while both were installed. */
  readonly answers: readonly string[];
  /** What the service of the mesh that was left answered. */
  readonly left: string;
  /** What was global before is again. */
  readonly isRestored: boolean;
}

export interface CopiesTold {
  readonly areApart: boolean;
  readonly installed: InstalledTold;
  readonly installedReversed: InstalledTold;
  readonly inbound: {
    /** Requests in flight that one mesh saw while it served one. */
    readonly inFlight: string;
    readonly refusal: string;
  };
  readonly errors: { readonly code: string; readonly isInstance: boolean };
}
