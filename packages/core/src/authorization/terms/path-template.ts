/** What is wrong with a template, in words; null: nothing. */
export function templateProblem(template: string): string | null {
  if (!template.startsWith("/")) return "must begin with a slash";
  const literals = template.split(/\{\*{1,2}\}/);
  if (literals.some((literal) => /[{}*]/.test(literal))) return "may hold braces and stars only as {*} and {**}";
  const rest = template.indexOf("{**}");
  if (rest >= 0 && /\{\*{1,2}\}/.test(template.slice(rest + 4))) return "may hold nothing but text after {**}";
  if (/[^/]\{\*{1,2}\}|\{\*\}[^/]/.test(template)) return "must have a slash on each side of {*} and before {**}";
  return null;
}

/**
 * `{*}` is one element that is not empty, `{**}` any characters or none (Envoy's uri_template). Linear: an element ends at a slash,
 * and there is one `{**}` at most. Throws TypeError for a template that {@link templateProblem} refuses.
 */
export function compileTemplate(template: string): (pathname: string) => boolean {
  const problem = templateProblem(template);
  if (problem !== null) throw new TypeError(`path ${JSON.stringify(template)}: ${problem}`);
  const rest = template.indexOf("{**}");
  const elements = (rest < 0 ? template : template.slice(0, rest)).split("/").slice(1);
  const tail = rest < 0 ? null : template.slice(rest + 4);
  if (tail !== null) elements.pop();
  return (pathname) => {
    let at = 0;
    for (const element of elements) {
      if (pathname.charCodeAt(at) !== SLASH) return false;
      const end = elementEnd(pathname, at + 1);
      const matches = element === "{*}" ? end > at + 1 : pathname.slice(at + 1, end) === element;
      if (!matches) return false;
      at = end;
    }
    if (tail === null) return at === pathname.length;
    return pathname.charCodeAt(at) === SLASH && pathname.length >= at + 1 + tail.length && pathname.endsWith(tail);
  };
}

const SLASH = 47;

function elementEnd(pathname: string, from: number): number {
  const slash = pathname.indexOf("/", from);
  return slash < 0 ? pathname.length : slash;
}
