"""Run a session on a simulated person, then repeat every decision of it: ``python record_and_replay.py [FOLDER]``."""

import sys

import bcikit

folder = sys.argv[1] if len(sys.argv) > 1 else "session"
menu = {"name": "ssvep-menu", "settings": {"rounds": 1, "calibration_rounds": 0, "decoder": "fbcca"}}
config = {"source": {"address": "sim:ssvep?seed=1"}, "paradigm": menu, "recording": {"folder": folder}}
result = bcikit.run(config)
print(result, bcikit.replay(folder), bcikit.read_session(folder), sep="\n")
