/** What an agent sends for one identity; a field that is left out is not encoded. */
export interface SentSvid {
  readonly spiffeId?: string;
  readonly chain?: Uint8Array;
  readonly key?: Uint8Array;
  readonly bundle?: Uint8Array;
  readonly hint?: string;
}

export interface SentMessage {
  readonly svids?: readonly SentSvid[];
  readonly crls?: readonly Uint8Array[];
  readonly federated?: Readonly<Record<string, Uint8Array>>;
}

/** X509SVIDResponse in the protobuf wire format, by the numbers of workloadapi.proto. */
export function encodeMessage({ svids = [], crls = [], federated = {} }: SentMessage): Buffer {
  return Buffer.concat([
    ...svids.map((svid) => field(1, encodeSvid(svid))),
    ...crls.map((crl) => field(2, crl)),
    ...Object.entries(federated).map(([of, bundle]) => field(3, Buffer.concat([field(1, Buffer.from(of)), field(2, bundle)]))),
  ]);
}

export function encodeSvid({ spiffeId, chain, key, bundle, hint }: SentSvid): Buffer {
  const contents = [spiffeId, chain, key, bundle, hint];
  return Buffer.concat(
    contents.map((content, index) => (content === undefined ? Buffer.alloc(0) : field(index + 1, Buffer.from(content)))),
  );
}

export function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}
