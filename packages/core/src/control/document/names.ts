import type { EndpointDocument } from "../../gen/document.ts";

/** The name of the backend that stands for a service, or for a subset of it. */
export function backendName(service: string, subset?: string): string {
  return subset === undefined ? service : `${service}/${subset}`;
}

/** The address of an endpoint in the model; undefined where the document was refused it. */
export function endpointAddress({ address, dns, unix }: EndpointDocument): string | undefined {
  if (unix !== undefined) return `unix:${unix}`;
  return dns === undefined ? address?.toLowerCase() : `dns:${dns.toLowerCase()}`;
}

/** No prototype: `__proto__` is a legal header name. */
export function lowerCaseNames(values: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  const lower: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(values ?? {})) lower[name.toLowerCase()] = value;
  return lower;
}
