/** What `grpc-message` may hold as it is (gRPC over HTTP/2, "Responses"): printable ASCII but the percent sign. */
const TO_ENCODE = /[^\x20-\x24\x26-\x7e]+/g;

/** A status message as it stands in the trailer `grpc-message`. */
export function encodeGrpcMessage(text: string): string {
  return text.toWellFormed().replace(TO_ENCODE, encodeURIComponent);
}

/** The status message that a trailer carries. One that is not encoded as it should be is given as it came. */
export function decodeGrpcMessage(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    // The message is for people: an unreadable part must not cost them the rest.
    return value;
  }
}
