import { identifierName, isNode, type Node, type SourceFile, stringValue, walk } from "./source-file.ts";

/** `static`: loaded with the file. `late`: by `import()` or a `require` made with createRequire. `type`: erased by the compiler. */
export type ImportKind = "static" | "late" | "type";

export interface Import {
  readonly specifier: string;
  readonly kind: ImportKind;
  readonly node: Node;
}

/** Every module that a file names, types included. */
export function importsOf(file: SourceFile): readonly Import[] {
  const imports: Import[] = [];
  const requires = requireFunctions(file.program);
  walk(file.program, (node) => {
    const found = importIn(node, requires);
    if (found) imports.push({ ...found, node });
  });
  return imports;
}

function importIn(node: Node, requires: ReadonlySet<string>): Omit<Import, "node"> | undefined {
  switch (node.type) {
    case "ImportDeclaration":
      return named(node.source, node.importKind === "type" ? "type" : "static");
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
      return named(node.source, node.exportKind === "type" ? "type" : "static");
    case "ImportExpression":
      return named(node.source, "late");
    case "TSImportType":
      return named(node.source ?? node.argument, "type");
    case "CallExpression":
      return isRequire(node.callee, requires) && Array.isArray(node.arguments) ? named(node.arguments[0], "late") : undefined;
    default:
      return undefined;
  }
}

function named(source: unknown, kind: ImportKind): Omit<Import, "node"> | undefined {
  const literal = isNode(source) && source.type === "TSLiteralType" ? source.literal : source;
  const specifier = stringValue(literal);
  return specifier === undefined ? undefined : { specifier, kind };
}

/** `require` itself and every variable that holds what createRequire returned. */
function requireFunctions(program: Node): ReadonlySet<string> {
  const names = new Set(["require"]);
  walk(program, (node) => {
    if (node.type !== "VariableDeclarator" || !isCreateRequire(node.init)) return;
    const name = identifierName(node.id);
    if (name !== undefined) names.add(name);
  });
  return names;
}

function isRequire(callee: unknown, requires: ReadonlySet<string>): boolean {
  const name = identifierName(callee);
  return name === undefined ? isCreateRequire(callee) : requires.has(name);
}

function isCreateRequire(node: unknown): boolean {
  return isNode(node) && node.type === "CallExpression" && identifierName(node.callee) === "createRequire";
}
