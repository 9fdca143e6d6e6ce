// The licence travels with the bundle.
import { readFileSync, writeFileSync } from "node:fs";

const out = new URL("../../bcikit/presentation/web/vendor/", import.meta.url);
const three = JSON.parse(readFileSync(new URL("node_modules/three/package.json", import.meta.url), "utf-8"));
const licence = readFileSync(new URL("node_modules/three/LICENSE", import.meta.url), "utf-8");
writeFileSync(new URL("three.LICENSE.txt", out), `three.js ${three.version}, built by tools/web\n\n${licence}`);
