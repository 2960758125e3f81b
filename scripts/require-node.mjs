// Runs before anything else in an npm script: every script needs the Node that the dev dependency `node` brings.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `heddle: this script runs on Node ${process.versions.node}, but needs 22.19 or newer (undici 8 does not load on older ones).\n` +
      "  `npm install` puts Node 24 into node_modules/.bin and npm scripts use it, unless install scripts were disabled.\n" +
      "  Run `npm install --ignore-scripts=false`, then the script again through npm (`npm test`, `npm run demo`).",
  );
  process.exit(1);
}
