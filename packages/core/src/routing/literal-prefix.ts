/** What every full match of an expression begins with. */
export interface LiteralPrefix {
  /** Printable ASCII; empty where nothing is known. */
  readonly text: string;
  readonly ignoreCase: boolean;
}

/** Flags that hold for the whole expression. What turns one off (`(?-i)`) is not read, and ends the prefix. */
const LEADING_FLAGS = /^(?:\(\?[imsU]+\))+/;
const ANCHOR = /^(?:\^|\\A)/;
const SYNTAX = "\\^$.|?*+()[]{}";
/** What makes the character before it optional, or may: what is nothing itself (flags, an empty quotation) lets a quantifier behind it pass. */
const LOOSENS = /[?*+{]|\(\?[^):<]*\)|\\[QE]/y;

/**
 * The literal that an expression in RE2 syntax begins with, found without compiling it. Too short rather than too long: what is not
 * surely a literal character ends it.
 */
export function literalPrefix(pattern: string, ignoreCase: boolean): LiteralPrefix {
  const flags = LEADING_FLAGS.exec(pattern)?.[0] ?? "";
  const anyCase = ignoreCase || flags.includes("i");
  if (mayChooseAtTop(pattern)) return { text: "", ignoreCase: anyCase };
  const rest = pattern.slice(flags.length).replace(ANCHOR, "");
  let text = "";
  for (let at = 0; at < rest.length; ) {
    const isEscaped = rest[at] === "\\";
    const character = rest.charAt(isEscaped ? at + 1 : at);
    if (!(isEscaped ? isEscapable(character) : isPlain(character))) break;
    at += isEscaped ? 2 : 1;
    LOOSENS.lastIndex = at;
    if (LOOSENS.test(rest)) break;
    text += character;
  }
  return { text, ignoreCase: anyCase };
}

function isPlain(character: string): boolean {
  return character >= " " && character <= "~" && !SYNTAX.includes(character);
}

/** Behind a backslash, letters and digits are classes and assertions; everything else printable is itself. */
function isEscapable(character: string): boolean {
  return character >= " " && character <= "~" && !/[0-9A-Za-z]/.test(character);
}

/** Whether a `|` may stand outside of every group, so that the beginning is one of several. */
function mayChooseAtTop(pattern: string): boolean {
  if (!pattern.includes("|")) return false;
  // Between `\Q` and `\E` brackets are no syntax.
  if (pattern.includes("\\Q")) return true;
  let depth = 0;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === "\\") at++;
    else if (character === "[") at = endOfClass(pattern, at);
    else if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (character === "|" && depth === 0) return true;
  }
  return false;
}

/** Where the class that opens at `start` closes. A `]` that comes first is a member; `[:alpha:]` stands inside. */
function endOfClass(pattern: string, start: number): number {
  let at = start + (pattern[start + 1] === "^" ? 2 : 1);
  if (pattern[at] === "]") at++;
  while (at < pattern.length && pattern[at] !== "]") {
    const named = pattern.startsWith("[:", at) ? pattern.indexOf(":]", at) : -1;
    if (named >= 0) at = named + 2;
    else at += pattern[at] === "\\" ? 2 : 1;
  }
  return at;
}
