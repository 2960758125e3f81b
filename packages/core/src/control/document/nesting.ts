import type * as Yaml from "yaml";

/**
 * The reader of YAML calls itself for every level, and running out of stack cannot be caught everywhere: Node 22 ends the process where
 * that happens while a regular expression is compiled. So depth is counted beforehand, on tokens and without recursion, roughly: the
 * count is between half the levels and twice the levels. What is refused here is deeper than the 100 levels that a document may have.
 */
const MOST_COUNTED = 200;

type TokenType = ReturnType<typeof Yaml.CST.tokenType>;

export interface BoundedTokens {
  /** What a Composer takes. They end early where the text is nested too deeply. */
  readonly tokens: Iterable<Yaml.CST.Token>;
  /** After the end of the tokens: where that is. */
  readonly tooDeepAt: () => number | undefined;
}

/** What `Parser.parse` gives of a text, in a bounded depth. */
export function boundedTokens(yaml: typeof Yaml, text: string): BoundedTokens {
  let tooDeepAt: number | undefined;
  function* read(): Generator<Yaml.CST.Token> {
    const parser = new yaml.Parser();
    const nesting = new Nesting();
    let offset = 0;
    let isScalar = false;
    for (const lexeme of new yaml.Lexer().lex(text)) {
      const type: TokenType = isScalar ? null : yaml.CST.tokenType(lexeme);
      // Marks of the lexer do not stand in the text; this one says that what comes next is a scalar.
      isScalar = type === "scalar";
      if (!isScalar && type !== "doc-mode" && type !== "flow-error-end") {
        nesting.add(type, lexeme.length);
        if (nesting.counted > MOST_COUNTED) {
          tooDeepAt = offset;
          return;
        }
        offset += lexeme.length;
      }
      yield* parser.next(lexeme);
    }
    yield* parser.end();
  }
  return { tokens: read(), tooDeepAt: () => tooDeepAt };
}

class Nesting {
  /** Where the lists and mappings that are open begin, from the outermost; each further to the right. */
  readonly #columns: number[] = [];
  #brackets = 0;
  #column = 0;
  #isLineStart = true;

  get counted(): number {
    return this.#columns.length + this.#brackets;
  }

  /** The next token, with `null` for a scalar. */
  add(type: TokenType, length: number): void {
    switch (type) {
      case "newline":
        this.#column = 0;
        this.#isLineStart = true;
        return;
      case "flow-seq-start":
      case "flow-map-start":
        this.#open();
        this.#brackets++;
        break;
      case "flow-seq-end":
      case "flow-map-end":
        this.#brackets = Math.max(0, this.#brackets - 1);
        break;
      case "seq-item-ind":
      case "explicit-key-ind":
      case "map-value-ind":
        this.#open();
        break;
      case "space":
      case "comment":
        break;
      default:
        if (this.#isLineStart) this.#open();
    }
    if (type !== "space") this.#isLineStart = false;
    this.#column += length;
  }

  /** Something begins here, which ends what began further to the right. In brackets columns mean nothing. */
  #open(): void {
    if (this.#brackets > 0) return;
    while (this.#columns.length > 0 && (this.#columns.at(-1) as number) > this.#column) this.#columns.pop();
    if (this.#columns.at(-1) !== this.#column) this.#columns.push(this.#column);
  }
}
