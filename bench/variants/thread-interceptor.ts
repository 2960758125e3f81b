import { createRequire } from "node:module";
import type { MessagePort, Worker } from "node:worker_threads";
import type { Dispatcher } from "undici";

/** The part of undici-thread-interceptor that is used here; the package brings no types. */
interface ThreadInterceptorModule {
  /** `server`: a Node application, or the `http://host:port` that requests for this thread are sent to. */
  wire(options: { readonly server: string; readonly port: MessagePort | null }): void;
  createThreadInterceptor(options: { readonly domain: string }): Dispatcher.DispatcherComposeInterceptor & {
    route(host: string, threads: readonly Worker[]): Promise<void>;
  };
}

export const { wire, createThreadInterceptor } = createRequire(import.meta.url)("undici-thread-interceptor") as ThreadInterceptorModule;
