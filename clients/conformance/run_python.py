"""Play the scenes of v1.json (or of the file named) with the Python receiver; exit code 1 if one differs."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "python"))

from bcikit_client import Receiver  # noqa: E402

path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "v1.json"
failed = 0
for name, steps in json.loads(path.read_text(encoding="utf-8")).items():
    receiver = Receiver()
    for number, step in enumerate(steps):
        if "hex" in step:
            receiver.feed(bytes.fromhex(step["hex"]), step["at"])
        elif step["message"] is not None:
            receiver.feed(step["message"], step["at"])
        command = receiver.tick(step["at"])
        found = None if command is None else {"name": command["name"], "value": command.get("value")}
        counts = {key: receiver.counts[key] for key in step.get("counts", {})}
        if found != step["expect"] or counts != step.get("counts", {}):
            print(f"{name}, step {number}: {found} {counts} in place of {step}")  # noqa: T201
            failed += 1
print("all scenes alike" if not failed else f"{failed} steps differ")  # noqa: T201
sys.exit(failed > 0)
