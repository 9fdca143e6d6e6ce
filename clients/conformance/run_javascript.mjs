// Play the scenes of v1.json (or of the file named) with the JavaScript receiver; exit code 1 if one differs.
import { readFileSync } from "node:fs";
import { Receiver } from "../javascript/bcikit-client.js";

const scenes = JSON.parse(readFileSync(process.argv[2] ?? new URL("v1.json", import.meta.url), "utf-8"));
let failed = 0;
for (const [name, steps] of Object.entries(scenes)) {
  const receiver = new Receiver();
  steps.forEach((step, number) => {
    if (step.hex !== undefined) receiver.feed(Buffer.from(step.hex, "hex"), step.at);
    else if (step.message !== null) receiver.feed(step.message, step.at);
    const command = receiver.tick(step.at);
    const found = command === null ? null : { name: command.name, value: command.value ?? null };
    const counted = Object.entries(step.counts ?? {}).every(([key, count]) => receiver.counts[key] === count);
    if (JSON.stringify(found) !== JSON.stringify(step.expect) || !counted) {
      console.log(`${name}, step ${number}: ${JSON.stringify(found)} in place of ${JSON.stringify(step)}`);
      failed += 1;
    }
  });
}
console.log(failed === 0 ? "all scenes alike" : `${failed} steps differ`);
process.exit(failed > 0 ? 1 : 0);
