"""A device in a process of its own, for tests: EEG, or the muscles of a person who does what the session's cues ask.

``two_devices.py eeg NAME`` and ``two_devices.py emg NAME CUES [LAST]``: an LSL outlet NAME; the muscles follow the
marker stream CUES and are gone, as if unplugged, with the cue after the LAST.
"""

import os
import sys
import time

import numpy as np
import pylsl

EEG = ("FC3", "FC4", "C3", "Cz", "C4", "CP3", "CPz", "CP4")
EMG = ("EMG left", "EMG right")
RATES = {"EEG": 250.0, "EMG": 400.0}


def outlet(name: str, kind: str, labels: tuple[str, ...]) -> pylsl.StreamOutlet:
    info = pylsl.StreamInfo(name, kind, len(labels), RATES[kind], "float32", name)
    channels = info.desc().append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        for key, value in {"label": label, "unit": "microvolts", "type": kind}.items():
            channel.append_child_value(key, value)
    return pylsl.StreamOutlet(info)


def main() -> None:
    kind, name = sys.argv[1].upper(), sys.argv[2]
    labels = EEG if kind == "EEG" else EMG
    cues = sys.argv[3] if kind == "EMG" else ""
    last = int(sys.argv[4]) if len(sys.argv) > 4 else 10**6
    out, rate, rng = outlet(name, kind, labels), RATES[kind], np.random.default_rng(len(name))
    listening, inlet, heard = pylsl.ContinuousResolver(prop="name", value=cues, forget_after=5.0), None, 0
    print("up", flush=True)
    size = np.full(len(labels), 15.0 if kind == "EEG" else 5.0)
    begin, sent, block = pylsl.local_clock(), 0, round(rate / 25)
    while True:
        if cues and inlet is None and (found := listening.results()):
            inlet = pylsl.StreamInlet(found[0])
        while inlet is not None and (sample := inlet.pull_sample(0.0)[0]):
            if sample[0].startswith("cue/"):
                heard += 1
                if heard > last:
                    os._exit(0)
                size[:] = (80.0, 5.0) if sample[0] == "cue/left_hand" else (5.0, 80.0)
            elif sample[0] in ("feedback/end", "phase/rest", "trial/end"):
                size[:] = 5.0
        # Neighbours on a head share most of what they see.
        common = rng.normal(0.0, 1.0, (block, 1)) if kind == "EEG" else 0.0
        rows = size * (0.6 * rng.normal(0.0, 1.0, (block, len(labels))) + 0.8 * common)
        sent += block
        time.sleep(max(0.0, begin + sent / rate - pylsl.local_clock()))
        out.push_chunk(rows.astype(np.float32), begin + sent / rate)


main()
