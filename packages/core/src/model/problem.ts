/** Something that people should know: a refused configuration, an unreachable source, a certificate about to expire. */
export interface Problem {
  /** Where: `mesh.yaml:12:5`, a source's name, a service. */
  readonly where: string;
  /** What is wrong, what was expected, and what happens now. */
  readonly message: string;
  readonly severity: "error" | "warning";
}
