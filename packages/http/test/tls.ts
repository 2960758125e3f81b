import type { ConnectionOptions, TLSSocket } from "node:tls";
import { type ClientTls, systemClock, type Transport } from "@heddle/core";
import { type CertificateWish, HOUR, type IssuedCertificate, leaf, root } from "../../core/test/authority.ts";

export const REVIEWS = "spiffe://shop.test/ns/shop/sa/reviews";
export const WEB = "spiffe://shop.test/ns/shop/sa/web";

/** As `node:tls` and `node:https` take them. */
export interface Pem {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority whose certificates are valid now, by the clock of the system: real handshakes ask no other. */
export class LiveAuthority {
  readonly root: IssuedCertificate;

  constructor(subject = "the test's authority") {
    this.root = root(subject, aroundNow());
  }

  issue(id: string, wish: CertificateWish = {}): Pem {
    const { pem, keyPem } = leaf(this.root, id, { ...aroundNow(), ...wish });
    return { ca: this.root.pem, cert: pem, key: keyPem };
  }
}

function aroundNow(): CertificateWish {
  const now = systemClock.wallTime();
  return { notBeforeMs: now - HOUR, notAfterMs: now + HOUR };
}

/** Client TLS as core makes it, as far as a transport sees: expects one SPIFFE ID, whatever the host. */
export class TestClientTls implements ClientTls {
  readonly key: string;
  readonly mode: "simple" | "mutual";
  /** Of each connection, in order. */
  readonly askedFor: string[] = [];
  readonly #options: ConnectionOptions;
  readonly #expected: string;

  constructor(options: ConnectionOptions, expected: string = REVIEWS, mode: "simple" | "mutual" = "mutual") {
    this.#options = options;
    this.#expected = expected;
    this.mode = mode;
    this.key = `${mode} ${expected}`;
  }

  connectOptions(authority: string): ConnectionOptions {
    this.askedFor.push(authority);
    return { ...this.#options, servername: "reviews.test", checkServerIdentity: () => undefined };
  }

  refusal(socket: TLSSocket): Error | null {
    const names = socket.getPeerX509Certificate()?.subjectAltName ?? "nobody";
    return names === `URI:${this.#expected}` ? null : new Error(`the server is ${names}, expected ${this.#expected}`);
  }

  provenUntilMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  watch(): () => Error | null {
    return () => null;
  }
}

/** For what knows of no TLS: all that it opens is opened with it, and as `protocol` if that is given. */
export function overTls(transport: Transport, tls: ClientTls, protocol?: "http2"): Transport {
  return { open: (settings) => transport.open({ ...settings, tls, ...(protocol && { protocol }) }) };
}
