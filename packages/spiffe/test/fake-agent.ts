import { type CertificateWish, type IssuedCertificate, leaf, root } from "../../core/test/authority.ts";
import type { OpenStream, StreamListener } from "../src/workload-stream.ts";
import { encodeMessage, type SentSvid } from "./workload-encoder.ts";

export const WEB = "spiffe://shop.example/web";

/** An SVID of `id` by `authority`, as an agent sends it. */
export function sentSvid(
  authority: IssuedCertificate,
  id: string = WEB,
  and: Partial<SentSvid> = {},
  wish: CertificateWish = {},
): SentSvid {
  const issued = leaf(authority, id, wish);
  return { spiffeId: id, chain: issued.der, key: keyOf(issued), bundle: authority.der, ...and };
}

export function keyOf({ privateKey }: IssuedCertificate): Buffer {
  return privateKey.export({ format: "der", type: "pkcs8" });
}

/** What the other side of {@link OpenStream} does, told by a test. */
export interface FakeAgent {
  readonly openStream: OpenStream;
  /** How often a stream was opened. */
  readonly opened: number;
  /** How many are open now. */
  readonly open: number;
  /** On every open stream. */
  send(bytes: Uint8Array): void;
  end(code: string, details?: string): void;
}

export function fakeAgent(): FakeAgent {
  const listeners = new Set<StreamListener>();
  let opened = 0;
  return {
    openStream(listener) {
      opened++;
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    get opened() {
      return opened;
    },
    get open() {
      return listeners.size;
    },
    send(bytes) {
      for (const listener of [...listeners]) if (listeners.has(listener)) listener.message(bytes);
    },
    end(code, details = "") {
      for (const listener of [...listeners]) if (listeners.delete(listener)) listener.end({ code, details });
    },
  };
}

/** A message with one SVID of {@link WEB} by a new authority. */
export function anyMessage(wish: CertificateWish = {}): Buffer {
  return encodeMessage({ svids: [sentSvid(root("shop", wish), WEB, {}, wish)] });
}
