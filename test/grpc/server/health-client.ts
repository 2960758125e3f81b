import { type Client, Metadata, type ServiceError } from "@grpc/grpc-js";

export const SERVING_NAMES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

/** As `message HealthCheckRequest { string service = 1; }`, of a name shorter than 128 bytes. */
export function requestOf(service: string): Buffer {
  return service === "" ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
}

export function nameIn(message: Buffer): string {
  return SERVING_NAMES[message.length === 0 ? 0 : (message[1] ?? 0)] ?? "none";
}

const asIs = (bytes: Buffer): Buffer => bytes;

/** The status that `grpc.health.v1.Health/Check` answers, or the code it fails with. */
export function check(client: Client, service = ""): Promise<string | number> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      asIs,
      asIs,
      requestOf(service),
      new Metadata(),
      (error: ServiceError | null, answer?: Buffer) => resolve(error ? error.code : nameIn(answer ?? Buffer.alloc(0))),
    );
  });
}

/** What `Watch` tells until `cancel`. */
export function watch(client: Client, service: string): { readonly told: string[]; readonly ended: Promise<number>; cancel(): void } {
  const stream = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", asIs, asIs, requestOf(service));
  const told: string[] = [];
  stream.on("data", (message: Buffer) => told.push(nameIn(message)));
  stream.on("error", () => {});
  const ended = new Promise<number>((resolve) => stream.on("status", ({ code }) => resolve(code)));
  return { told, ended, cancel: () => stream.cancel() };
}
