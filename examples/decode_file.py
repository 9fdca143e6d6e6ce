"""Train a decoder on a file and see what it is worth: ``python examples/decode_file.py RUN.edf``."""

import sys

import bcikit
from bcikit.decoding import Model, epochs
from bcikit.processing import Bandpass

if len(sys.argv) != 2:
    sys.exit(__doc__)
recording = bcikit.read_recording(sys.argv[1])
trials = epochs(Bandpass(8, 30).apply(recording), events=["T1", "T2"], tmin=0.5, tmax=2.5)
model = Model.fit("csp-lda", trials)
print(recording, trials, model, sep="\n")
