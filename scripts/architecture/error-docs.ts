import { identifierName, isNode, type SourceFile, stringValue, type Violation, walk } from "./source-file.ts";

/** Every code of MeshErrorCode has a heading in docs/errors.md that is just the code, and the page has no other code. */
export function checkErrorDocs(errors: SourceFile, docs: string | undefined): readonly Violation[] {
  const where = "docs/errors.md";
  if (docs === undefined) return [{ where, message: "is missing; it explains every MeshError code" }];
  const codes = codesOf(errors);
  if (codes.length === 0) return [{ where: errors.path, message: "has no type MeshErrorCode made of string literals" }];
  const documented = [...docs.matchAll(/^#{2,4}\s+`?([a-z]+(?:_[a-z]+)*)`?\s*$/gm)].map((match) => match[1] ?? "");
  return [
    ...codes.filter((code) => !documented.includes(code)).map((code) => ({ where, message: `has no heading for \`${code}\`` })),
    ...documented
      .filter((code) => !codes.includes(code))
      .map((code) => ({ where, message: `explains \`${code}\`, which is no MeshError code` })),
  ];
}

function codesOf(errors: SourceFile): readonly string[] {
  const codes: string[] = [];
  walk(errors.program, (node) => {
    if (node.type !== "TSTypeAliasDeclaration" || identifierName(node.id) !== "MeshErrorCode") return;
    if (!isNode(node.typeAnnotation)) return;
    walk(node.typeAnnotation, (part) => {
      const code = stringValue(part);
      if (code !== undefined) codes.push(code);
    });
  });
  return codes;
}
