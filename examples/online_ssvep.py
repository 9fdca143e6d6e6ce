"""Which target is looked at, without any training: ``python examples/online_ssvep.py [ADDRESS]``."""

import sys

import bcikit
from bcikit.decoding import Model, OnlineDecoder, make_decoder
from bcikit.processing import Bandpass, Pipeline

with bcikit.open_source(sys.argv[1] if len(sys.argv) > 1 else "sim:ssvep?seed=1&schedule=1&duration=60") as source:
    targets = {"left": 13.0, "up": 17.0, "right": 21.0}
    fbcca = make_decoder("fbcca", sfreq=source.info.sfreq, frequencies=targets)
    model = Model.untrained(fbcca, source.info, seconds=2.0, reject=0.6)
    for decision in OnlineDecoder(model, source.info, every=0.5, pipeline=Pipeline([Bandpass(5, 45)])).run(source):
        print(f"{decision.time:8.2f} s  {decision.label or decision.reason}  {decision.confidence:.2f}")
