/**
 * Counts the timers of the process that have neither fired nor been cleared, unreferenced ones too, which
 * `process.getActiveResourcesInfo()` leaves out. Imported before anything that could make one.
 */
type Pending = NodeJS.Timeout & { readonly _destroyed: boolean };

let pending: WeakRef<Pending>[] = [];

function watched<Make extends typeof setTimeout | typeof setInterval>(make: Make): Make {
  return new Proxy(make, {
    apply(target, self, args) {
      const timer = Reflect.apply(target as never, self, args) as Pending;
      pending.push(new WeakRef(timer));
      return timer;
    },
  });
}

globalThis.setTimeout = watched(globalThis.setTimeout);
globalThis.setInterval = watched(globalThis.setInterval);

export function liveTimers(): number {
  // Node marks a timer so when it has fired for the last time or was cleared.
  pending = pending.filter((timer) => timer.deref()?._destroyed === false);
  return pending.length;
}
