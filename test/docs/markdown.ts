/** A fenced block of a page. */
export interface Block {
  /** What stands after the opening fence: `ts`, `yaml`, `text`. */
  readonly language: string;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  /** It is between the markers of an output. */
  readonly isOutput: boolean;
}

export interface Link {
  readonly target: string;
  readonly line: number;
}

/** Between this marker and the next `output:end` stands what the block above printed. */
const OUTPUT_BEGIN = "<!-- output:begin -->";
const FENCE = /^```(\w*)\s*$/;

export function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const language = FENCE.exec(lines[at] ?? "")?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf("```", at + 1);
    if (end < 0) throw new Error(`the fence of line ${at + 1} is not closed`);
    blocks.push({
      language,
      text: lines.slice(at + 1, end).join("\n"),
      line: at + 1,
      isOutput: lines[at - 1] === OUTPUT_BEGIN,
    });
    at = end;
  }
  return blocks;
}

/** The page with other texts in its outputs, in their order. */
export function withOutputs(markdown: string, outputs: readonly string[]): string {
  let next = 0;
  return markdown.replaceAll(
    /(<!-- output:begin -->\n```text\n)[\s\S]*?(```\n<!-- output:end -->)/g,
    (_all, begin: string, end: string) => `${begin}${outputs[next++]}\n${end}`,
  );
}

/** Links that are no code. */
export function linksOf(markdown: string): readonly Link[] {
  const prose = withoutCode(markdown).split("\n");
  return prose.flatMap((text, index) => [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => ({ target, line: index + 1 })));
}

/** The anchors that GitHub gives to the headings of a page. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = [...withoutFences(markdown).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function withoutFences(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```$/gm, (code) => code.replaceAll(/[^\n]/g, ""));
}

function withoutCode(markdown: string): string {
  return withoutFences(markdown).replaceAll(/`[^`\n]*`/g, "``");
}
