"""Alpha power, live: ``python examples/band_power.py [ADDRESS]``, such as ``lsl:name=EEG``."""

import sys

import bcikit
from bcikit.processing import BandPower, Notch, Pipeline

address = sys.argv[1] if len(sys.argv) > 1 else "sim:rest?seed=1&schedule=1&duration=20"
with bcikit.open_source(address) as source:
    pipeline = Pipeline([Notch(50), BandPower(bands={"alpha": (8, 12)}, window=2.0, hop=0.5)])
    unit = pipeline.configure(source.info).unit
    for power in map(pipeline.process, source):
        if power.n_times:
            print(f"{power.times[-1]:8.2f} s  {power.data[-1].mean():8.2f} {unit}")
