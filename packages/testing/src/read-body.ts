import type { PushBody } from "@heddle/core";

/** Everything a body holds. Rejects with what it fails with. */
export function readBody(body: PushBody): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    body.attach({ data: (chunk) => chunks.push(chunk), end: () => resolve(Buffer.concat(chunks)), fail: reject });
  });
}

export async function bodyText(body: PushBody): Promise<string> {
  return (await readBody(body)).toString();
}
