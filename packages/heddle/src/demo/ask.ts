import { type Agent, get, type IncomingMessage } from "node:http";

export interface AskOptions {
  readonly agent: Agent;
  readonly headers?: Readonly<Record<string, string>>;
}

const LIMIT_MS = 10_000;

/** Asks from outside of the mesh, as a browser would. Rejects unless the answer is a 200. */
export function askJson<T>(url: string, { agent, headers = {} }: AskOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers }, (response) => {
      readJson<T>(response).then(resolve, reject);
    });
    request.setTimeout(LIMIT_MS, () => request.destroy(new Error(`no answer within ${LIMIT_MS / 1000} s`)));
    request.on("error", reject);
  });
}

async function readJson<T>(response: IncomingMessage): Promise<T> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  if (response.statusCode !== 200) throw new Error(`web answered ${response.statusCode}: ${text.slice(0, 300)}`);
  return JSON.parse(text) as T;
}
