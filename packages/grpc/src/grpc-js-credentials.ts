import { type CallCredentials, type ChannelCredentials, credentials } from "@grpc/grpc-js";

// What of channel credentials grpc-js keeps to itself, and a channel in place of its own has to know.

/** They ask for TLS. How the mesh does it, and whether with the peer's identity, its configuration says. */
export function isSecure(given: ChannelCredentials): boolean {
  return !(given instanceof credentials.createInsecure().constructor);
}

/** The call credentials that channel credentials were combined with. Only a connector tells them; nothing is connected. */
export function callCredentialsOf(given: ChannelCredentials): CallCredentials | null {
  if (!isSecure(given)) return null;
  if (typeof given._createSecureConnector !== "function") {
    throw new TypeError(
      "@grpc/grpc-js: channel credentials have no _createSecureConnector, so that call credentials in them cannot be found; supported is ^1.14.0",
    );
  }
  const connector = given._createSecureConnector({ path: "localhost" }, {});
  try {
    const found = connector.getCallCredentials();
    return found instanceof credentials.createEmpty().constructor ? null : found;
  } finally {
    connector.destroy();
  }
}
