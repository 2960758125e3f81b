import { joinMesh } from "./join.ts";

// `node --import heddle/register app.js`: the mesh without a line of code. Joining is what this module is imported for, so a
// configuration that is missing or wrong ends the process before the application starts.
const mesh = await joinMesh();
mesh.install();
