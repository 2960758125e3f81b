import type { MeshDocument } from "../../gen/document.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";

/** Whether a service, and a subset of it where one is named, exists. */
export function checkTarget(document: MeshDocument, name: string, subset: string | undefined, path: Path, mistakes: Mistakes): void {
  const services = document.services ?? {};
  const service = Object.hasOwn(services, name) ? services[name] : undefined;
  if (!service) {
    mistakes.add([...path, "service"], `no service is called "${name}"${suggestion(mistakes, name, () => Object.keys(services))}`);
    return;
  }
  if (subset === undefined || Object.hasOwn(service.subsets ?? {}, subset)) return;
  const known = () => Object.keys(service.subsets ?? {});
  mistakes.add([...path, "subset"], `the service "${name}" has no subset "${subset}"${suggestion(mistakes, subset, known)}`);
}

/** `; did you mean "x"?`, where there is something that may have been meant. */
export function suggestion(mistakes: Mistakes, word: string, known: () => Iterable<string>): string {
  const meant = mistakes.suggest(word, known);
  return meant === undefined ? "" : `; did you mean "${meant}"?`;
}
