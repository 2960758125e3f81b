import { Metadata } from "@grpc/grpc-js";
import { emptyHeaders, type HeaderMap } from "@heddle/core";

/** What belongs to the exchange below, and is made anew by it. */
const NOT_METADATA: ReadonlySet<string> = new Set(["te", "content-type", "grpc-encoding", "grpc-accept-encoding", "user-agent"]);

/** What the status of a call says beside its metadata. */
const NOT_TRAILING: ReadonlySet<string> = new Set([...NOT_METADATA, "grpc-status", "grpc-message"]);

/** Metadata as the headers of a request: names in lower case, values of `-bin` keys in base64, as on the wire. */
export function headersOf(metadata: Metadata): HeaderMap {
  const headers = emptyHeaders();
  const fields = metadata.toHttp2Headers();
  for (const name in fields) {
    const values = fields[name] as string | string[];
    headers[name] = typeof values === "object" && values.length === 1 ? values[0] : values;
  }
  return headers;
}

/** Headers as metadata. Values of `-bin` keys become bytes; those that are not base64 are given as far as they can be read. */
export function metadataOf(headers: HeaderMap): Metadata {
  return metadataBut(NOT_METADATA, headers);
}

/** The metadata that comes with a status: what is left of the trailers without it. */
export function trailingMetadataOf(trailers: HeaderMap): Metadata {
  return metadataBut(NOT_TRAILING, trailers);
}

function metadataBut(left: ReadonlySet<string>, headers: HeaderMap): Metadata {
  const metadata = new Metadata();
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || left.has(name)) continue;
    if (typeof value === "string") add(metadata, name, value);
    else for (const one of value) add(metadata, name, one);
  }
  return metadata;
}

function add(metadata: Metadata, name: string, value: string): void {
  if (!name.endsWith("-bin")) metadata.add(name, value);
  // gRPC over HTTP/2, "Custom-Metadata": several values may be joined by commas.
  else for (const one of value.split(",")) metadata.add(name, Buffer.from(one, "base64"));
}
