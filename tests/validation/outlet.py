"""An amplifier on LSL in a process of its own: ``python outlet.py NAME RATE FAULT``; its input says what to connect.

A line is "KIND AMPLITUDE HERTZ CHANNEL" (channel -1 for all). FAULT is one of the words below, or "none".
"""

import sys
import threading
import time

import numpy as np
import pylsl

NAME, RATE, FAULT = sys.argv[1], float(sys.argv[2]), sys.argv[3]
WIDTH = 3
connected = {"line": ["short", 0.0, 0.0, -1]}


def listen():
    for line in sys.stdin:
        kind, size, hertz, channel = line.split()
        connected["line"] = [kind, float(size), float(hertz), int(channel)]
    # The test is gone: so is the amplifier.
    connected["line"] = None


info = pylsl.StreamInfo(NAME, "EEG", WIDTH, RATE, "double64", f"outlet-{NAME}")
channels = info.desc().append_child("channels")
for number in range(WIDTH):
    channel = channels.append_child("channel")
    channel.append_child_value("label", f"c{number + 1}")
    channel.append_child_value("unit", "microvolts")
    channel.append_child_value("type", "EEG")
outlet = pylsl.StreamOutlet(info, chunk_size=round(RATE / 50), max_buffered=360)
threading.Thread(target=listen, daemon=True).start()
print("ready", flush=True)
rng = np.random.default_rng(1)
begin, made = pylsl.local_clock(), 0
last = np.zeros(WIDTH)
known = connected["line"]
while (state := connected["line"]) is not None:
    if state is not known:
        # Said here, where nothing of what was connected before is still to be pushed.
        known = state
        print("connected", flush=True)
    due = int((pylsl.local_clock() - begin) * RATE)
    if due - made < RATE / 50:
        time.sleep(0.005)
        continue
    index = np.arange(made, due)
    made = due
    kind, size, hertz, only = state
    t = index / RATE
    data = rng.normal(0, 0.12 * np.sqrt(RATE / 139), (len(t), WIDTH))
    if kind == "sine":
        wave = size * np.sin(2 * np.pi * hertz * t)[:, None]
        data += wave * (np.ones(WIDTH) if only < 0 else np.arange(WIDTH) == only)
    stamps = begin + t
    keep = np.ones(len(t), dtype=bool)
    if FAULT == "millivolts":
        data /= 1000.0
    elif FAULT == "loses":
        keep = index % 500 != 499
    elif FAULT == "repeats":
        for row in range(len(data)):
            data[row] = last if index[row] % 100 == 50 else data[row]
            last = data[row]
    elif FAULT == "grid":
        stamps = np.floor(stamps / 0.0156) * 0.0156
    if keep.any():
        outlet.push_chunk(data[keep].tolist(), stamps[keep].tolist())
