import { syncBuiltinESMExports } from "node:module";
import tls from "node:tls";
import { settle } from "./heap.ts";

/**
 * Counts the TLS contexts of the process that are still reachable: what OpenSSL holds of each, 30 kB, is in no heap of V8's. Imported
 * before anything that could make one.
 */
let made: WeakRef<object>[] = [];

tls.createSecureContext = new Proxy(tls.createSecureContext, {
  apply(target, self, args) {
    const context = Reflect.apply(target, self, args) as ReturnType<typeof target> & { readonly context: object };
    // What lasts as long as a connection that has it, whoever holds what is around it.
    made.push(new WeakRef(context.context));
    return context;
  },
});
syncBuiltinESMExports();

/** After a collection. */
export async function liveContexts(): Promise<number> {
  await settle();
  made = made.filter((context) => context.deref() !== undefined);
  return made.length;
}
