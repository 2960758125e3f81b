/** Where undici 6 and 7, and so the fetch built into Node, look for their global dispatcher. */
export const FORMER_GLOBAL: unique symbol = Symbol.for("undici.globalDispatcher.1") as never;

/** What was there when this package was loaded. Loading undici 8 replaces it, so this module must be evaluated before undici is. */
export const formerAtStart: unknown = (globalThis as { readonly [FORMER_GLOBAL]?: unknown })[FORMER_GLOBAL];
