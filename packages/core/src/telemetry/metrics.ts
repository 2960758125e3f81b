/** Requests that ended, by where they went and how. */
export interface OutcomeCounts {
  readonly direction: "outbound" | "inbound";
  readonly service: string;
  readonly route: string;
  readonly endpoint: string;
  /** `200`, or a MeshError code. */
  readonly outcome: string;
  readonly count: number;
}
