// Puts the package together: the modules live where the web page is served from.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";

const here = new URL("./", import.meta.url);
const web = new URL("../../bcikit/presentation/web/", here);
const dist = new URL("dist/", here);
const modules = ["bcikit-client.js", "flicker.js", "presenter.js", "stimuli.js"];
mkdirSync(dist, { recursive: true });
for (const name of modules) copyFileSync(new URL(name, web), new URL(name, dist));
writeFileSync(new URL("index.js", dist), modules.map((name) => `export * from "./${name}";\n`).join(""));
copyFileSync(new URL("../../LICENSE", here), new URL("LICENSE", here));
