import { readFileSync } from "node:fs";
import { type LoadedDocument, loadDocument } from "@heddle/core";
import { UsageError } from "./command.ts";

/** Reads and checks one document. Throws UsageError where there is no such file. */
export function readDocument(file: string): LoadedDocument {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  return loadDocument(text, file);
}
