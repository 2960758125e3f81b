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
