/** `content`, of the page of that name, with the text between its markers `name`. Throws if they are not there. */
export function putSection(page: string, content: string, name: string, text: string): string {
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const from = content.indexOf(begin);
  const to = content.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${page} needs the markers ${begin} and ${end}`);
  return `${content.slice(0, from + begin.length)}\n${text}\n${content.slice(to)}`;
}
