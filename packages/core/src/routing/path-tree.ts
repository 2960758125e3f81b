/** Ends every list of routes, so that whoever reads one needs no length. */
export const END = 0x3fff_ffff;

/** Indices of routes, ascending, and `END`. */
export type RouteList = readonly number[];

/**
 * How a route's path begins: `exact` is the whole path, `element` ends where the path or one of its elements does, `prefix` ends
 * anywhere.
 */
export type PathKind = "exact" | "element" | "prefix";

/** Takes the lists that may hold a matching route. */
export interface Collector {
  add(list: RouteList): void;
}

const SLASH = 47;

interface Node {
  /** The characters from the parent to here. */
  label: string;
  /** By the first character of their labels. */
  children: Map<number, Node> | null;
  exact: number[] | null;
  element: number[] | null;
  prefix: number[] | null;
  /** The routes that may match a path that goes on here with a slash, that ends here; `prefix` where it goes on otherwise. */
  slash: RouteList | null;
  end: RouteList | null;
}

/** Beginnings of paths as a radix tree: one walk along a path finds every route whose beginning it has. */
export class PathTree {
  readonly #root = nodeOf("");
  /** The nodes that have routes, each at least once. */
  readonly #placed: Node[] = [];

  /** Routes are added in their order, before {@link seal}. */
  add(kind: PathKind, text: string, route: number): void {
    const node = this.#nodeAt(text);
    const routes = node[kind];
    if (routes === null) {
      node[kind] = [route, END];
      this.#placed.push(node);
    } else {
      routes[routes.length - 1] = route;
      routes.push(END);
    }
  }

  /** Makes the lists that {@link collect} gives out. */
  seal(): void {
    for (const node of this.#placed) {
      node.slash = union(node.prefix, node.element);
      node.end = union(node.slash, node.exact);
    }
    this.#placed.length = 0;
  }

  collect(path: string, into: Collector): void {
    let node = this.#root;
    let at = 0;
    while (at < path.length) {
      const code = path.charCodeAt(at);
      const list = code === SLASH ? node.slash : node.prefix;
      if (list !== null) into.add(list);
      const child = node.children?.get(code);
      if (child === undefined || !hasAt(path, at, child.label)) return;
      at += child.label.length;
      node = child;
    }
    if (node.end !== null) into.add(node.end);
  }

  /** Makes it where there is none. */
  #nodeAt(text: string): Node {
    let node = this.#root;
    for (let at = 0; at < text.length; ) {
      const child = node.children?.get(text.charCodeAt(at));
      if (child === undefined) return adopted(node, nodeOf(text.slice(at)));
      const common = commonLength(child.label, text, at);
      node = common === child.label.length ? child : divided(node, child, common);
      at += common;
    }
    return node;
  }
}

function nodeOf(label: string): Node {
  return { label, children: null, exact: null, element: null, prefix: null, slash: null, end: null };
}

function adopted(parent: Node, child: Node): Node {
  parent.children ??= new Map();
  parent.children.set(child.label.charCodeAt(0), child);
  return child;
}

/** Puts a node between the two, `length` characters into the child's label. */
function divided(parent: Node, child: Node, length: number): Node {
  const between = adopted(parent, nodeOf(child.label.slice(0, length)));
  child.label = child.label.slice(length);
  adopted(between, child);
  return between;
}

function commonLength(label: string, text: string, at: number): number {
  if (text.startsWith(label, at)) return label.length;
  let length = 0;
  while (length < label.length && label.charCodeAt(length) === text.charCodeAt(at + length)) length++;
  return length;
}

/** The first character is known to be there. Faster than `startsWith` for what labels are. */
function hasAt(path: string, at: number, label: string): boolean {
  if (label.length > path.length - at) return false;
  for (let index = 1; index < label.length; index++) {
    if (label.charCodeAt(index) !== path.charCodeAt(at + index)) return false;
  }
  return true;
}

function union(one: RouteList | null, other: RouteList | null): RouteList | null {
  if (one === null || other === null) return one ?? other;
  return [...one.slice(0, -1), ...other].sort((route, next) => route - next);
}
