// Imported first: undici 8 does not load on older ones, and what it says then ("Cannot read properties of undefined") helps nobody.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 19)) throw new Error(`heddle needs Node 22.19 or newer; this is ${process.versions.node}`);
