/** From the root of a document to a value in it. */
export type Path = readonly (string | number)[];

/** Says where in its source a part of a document stands. */
export interface Places {
  /** For problems. `key`: where the last step of the path is written; `value`: where what it holds begins. */
  where(path: Path, of: "key" | "value"): string;
  /** For the `origin` of parts of the model. */
  origin(path: Path): string;
}

/** For a document given in code: a problem stands at its path, and every part comes from the source of this name. */
export function codePlaces(name: string): Places {
  return { where: (path) => formatPath(path), origin: () => name };
}

/** `services.reviews.routes[0]`; names that would be misread are quoted. */
export function formatPath(path: Path): string {
  let formatted = "";
  for (const step of path) {
    if (typeof step === "number") formatted += `[${step}]`;
    else if (/^[\w$-]+$/.test(step)) formatted += formatted === "" ? step : `.${step}`;
    else formatted += `[${JSON.stringify(step.length > 100 ? `${step.slice(0, 100)}...` : step)}]`;
  }
  return formatted === "" ? "document" : formatted;
}
