import { type Runtime, Session } from "node:inspector";

/** Where code that the debugger evaluates meets ours. */
const place = globalThis as { classBeside?: { readonly fn: object; found?: unknown } };

/**
 * A class of the module that a function is written in, exported or not: the debugger sees it in the function's scope. For tests and
 * benches of what is built, where a package is one module whose insides nobody can import. The type is the caller's word.
 */
export function classBeside<Class>(fn: object, name: string): Class {
  const session = new Session();
  session.connect();
  place.classBeside = { fn };
  try {
    const objectId = variablesBeside(session).find((variable) => variable.name === name)?.value?.objectId;
    if (objectId === undefined) throw new Error(`there is no ${name} in the module of the function: it is renamed, or in another package`);
    const functionDeclaration = "function () { classBeside.found = this; }";
    session.post("Runtime.callFunctionOn", { objectId, functionDeclaration }, throwIfAny);
    return place.classBeside.found as Class;
  } finally {
    delete place.classBeside;
    session.disconnect();
  }
}

function variablesBeside(session: Session): readonly Runtime.PropertyDescriptor[] {
  const { result } = answer<Runtime.EvaluateReturnType>((done) => session.post("Runtime.evaluate", { expression: "classBeside.fn" }, done));
  const scopes = properties(session, result).internalProperties?.find(({ name }) => name === "[[Scopes]]")?.value;
  const module = properties(session, scopes).result.find(({ value }) => value?.description === "Module")?.value;
  return properties(session, module).result;
}

function properties(session: Session, object: Runtime.RemoteObject | undefined): Runtime.GetPropertiesReturnType {
  const { objectId } = object ?? {};
  if (objectId === undefined) throw new Error("the debugger shows no module among the scopes of the function");
  return answer((done) => session.post("Runtime.getProperties", { objectId }, done));
}

/** A session on one's own thread answers before `post` returns. */
function answer<Answer>(post: (done: (error: Error | null, answer: Answer) => void) => void): Answer {
  let given: Answer | undefined;
  post((error, value) => {
    throwIfAny(error);
    given = value;
  });
  if (given === undefined) throw new Error("the debugger did not answer");
  return given;
}

/** The debugger's errors are plain objects. */
function throwIfAny(error: Error | null): void {
  if (error) throw new Error(`the debugger refused: ${error.message}`);
}
