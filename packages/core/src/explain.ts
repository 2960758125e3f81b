import type { HeaderMap } from "./message.ts";

export interface ExplainRequest {
  /** Default GET. */
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** A decision and every reason for it, as data. Made by the functions that decide for requests. */
export interface Explanation {
  readonly authority: string;
  /** The virtual host that claims the authority; null: unclaimed, and `egress` decides. */
  readonly virtualHost: { readonly name: string; readonly claim: string; readonly from: string } | null;
  readonly egress: "allow" | "deny" | null;
  /** Every route that was looked at, in order, up to the one taken. */
  readonly routes: readonly { readonly name: string; readonly from: string; readonly matched: boolean; readonly why: string }[];
  readonly decision: ExplainedDecision;
}

export type ExplainedDecision =
  | { readonly kind: "unclaimed" }
  | { readonly kind: "no-route" }
  | { readonly kind: "redirect"; readonly status: number; readonly location: string; readonly route: string }
  | { readonly kind: "respond"; readonly status: number; readonly body: string | null; readonly route: string }
  | {
      readonly kind: "forward";
      readonly route: string;
      /** As sent upstream, before header operations of a backend. */
      readonly path: string;
      readonly requestHeaders: HeaderMap;
      readonly timeout: string | null;
      readonly retry: string;
      /** What the weighted split may pick, with the share of each. */
      readonly backends: readonly ExplainedBackend[];
    };

export interface ExplainedBackend {
  readonly backend: string;
  readonly percent: number;
  readonly from: string;
  readonly balancer: string;
  readonly breaker: string;
  readonly outlier: string;
  readonly limits: string;
  readonly endpoints: readonly { readonly address: string; readonly labels: Readonly<Record<string, string>>; readonly state: string }[];
}
