"""Play the scenes of v1.json with the Python receiver; exit code 1 if one differs."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "python"))

from bcikit_client import Receiver  # noqa: E402

failed = 0
for name, steps in json.loads((HERE / "v1.json").read_text(encoding="utf-8")).items():
    receiver = Receiver()
    for number, step in enumerate(steps):
        if step["message"] is not None:
            receiver.feed(step["message"], step["at"])
        command = receiver.tick(step["at"])
        found = None if command is None else {"name": command["name"], "value": command["value"]}
        if found != step["expect"]:
            print(f"{name}, step {number}: {found} in place of {step['expect']}")  # noqa: T201
            failed += 1
print("all scenes alike" if not failed else f"{failed} steps differ")  # noqa: T201
sys.exit(failed > 0)
