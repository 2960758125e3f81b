import { at, identifierName, type Node, type SourceFile, type Violation, walk } from "./source-file.ts";

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 60;

/** A file over 400 lines or a function over 60 is two ideas. Tests are exempt. */
export function checkSize(files: readonly SourceFile[]): readonly Violation[] {
  return files.filter((file) => !file.isTest).flatMap((file) => [...longFile(file), ...longFunctions(file)]);
}

function longFile(file: SourceFile): readonly Violation[] {
  const lines = countLines(file.text.trimEnd());
  return lines > MAX_FILE_LINES ? [{ where: file.path, message: `has ${lines} lines, ${MAX_FILE_LINES} are allowed` }] : [];
}

function longFunctions(file: SourceFile): readonly Violation[] {
  const violations: Violation[] = [];
  walk(file.program, (node, parent) => {
    if (!["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"].includes(node.type)) return;
    const lines = countLines(file.text.slice(node.start, node.end));
    if (lines <= MAX_FUNCTION_LINES) return;
    violations.push({ where: at(file, node), message: `${nameOf(node, parent)} has ${lines} lines, ${MAX_FUNCTION_LINES} are allowed` });
  });
  return violations;
}

function nameOf(node: Node, parent: Node | null): string {
  const name = identifierName(node.id) ?? identifierName(parent?.key) ?? identifierName(parent?.id);
  return name === undefined ? "a function" : `${name}()`;
}

function countLines(text: string): number {
  return text.split("\n").length;
}
