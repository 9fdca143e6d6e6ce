"""An LSL outlet in its own process, for tests: sends a known signal and obeys orders from its standard input.

Channel c of sample k holds ``1000 * c + k % 1000``, so that a receiver can tell every sample it got.
"""

import json
import sys
import threading
import time

import numpy as np
import pylsl

BEGUN = pylsl.local_clock()


def unix_offset():
    """Return what to add to LSL's clock to have UNIX time: the quickest of some readings, whatever else runs."""
    readings = []
    for _ in range(20):
        before, unix, after = pylsl.local_clock(), time.time(), pylsl.local_clock()
        readings.append((after - before, unix - 0.5 * (before + after)))
    return min(readings)[1]


UNIX = unix_offset()


class Outlet:
    def __init__(self, settings):
        self.settings = settings
        self.rate = float(settings.get("rate", 250.0))
        self.n_channels = int(settings.get("n_channels", 4))
        self.block = int(settings.get("block", 10))
        self.jitter = float(settings.get("jitter", 0.0))
        self.drift = float(settings.get("drift_ppm", 0.0))
        self.shift = float(settings.get("clock_shift", 0.0))
        self.pace = float(settings.get("pace", self.rate))
        self.stamped = settings.get("stamps", "lsl")
        self.rng = np.random.default_rng(3)
        self.k = 0
        self.silent = False
        self.holding = False
        self.held = []
        self.first_k = None
        self.skip = 0
        self.step = 0.0
        self.bad = None
        self.lock = threading.Lock()
        self.open(settings)

    def open(self, settings):
        names = settings.get("names") or [f"E{i + 1}" for i in range(self.n_channels)]
        info = pylsl.StreamInfo(
            settings["name"],
            settings.get("type", "EEG"),
            len(names),
            settings.get("rate", self.rate),
            settings.get("format", "float32"),
            settings["source_id"],
        )
        channels = info.desc().append_child("channels")
        for name in names:
            channel = channels.append_child("channel")
            channel.append_child_value("label", name)
            channel.append_child_value("type", settings.get("channel_type", "EEG"))
            if settings.get("unit", "microvolts"):
                channel.append_child_value("unit", settings.get("unit", "microvolts"))
        self.names = names
        self.outlet = pylsl.StreamOutlet(info, 0, 60)

    def run(self):
        start = pylsl.local_clock()
        period = 1.0 / (self.pace * (1 + 1e-6 * self.drift))
        self.start = start
        while True:
            with self.lock:
                # What is skipped was taken and is lost: what follows comes when it was taken, not before.
                self.k += self.skip
                self.skip = 0
            due = start + (self.k + self.block) * period
            wait = due - pylsl.local_clock()
            if wait > 0:
                time.sleep(wait)
            with self.lock:
                index = self.k + np.arange(self.block)
                self.k += self.block
                if self.silent or self.outlet is None:
                    continue
                data = 1000.0 * np.arange(len(self.names)) + (index % 1000)[:, None]
                if self.bad is not None:
                    data[:, self.bad["channel"]] = self.bad["value"]
                    self.bad = None
                stamps = start + index * period + self.shift + self.step
                stamps = stamps + self.rng.uniform(0, self.jitter, self.block) if self.jitter else stamps
                self.held.append((data.astype(np.float32), stamps, index))
                if not self.holding:
                    for block in self.held:
                        self.push(*block)
                    self.held = []

    def push(self, data, stamps, index):
        if not self.outlet.have_consumers():
            return
        if self.first_k is None:
            self.first_k = int(index[0])
        stamps = planted(stamps, self.stamped)
        if self.stamped == "garbage-first" and index[0] == self.first_k:
            stamps = np.linspace(-4e8, 7e9, stamps.size)
        self.outlet.push_chunk(data, stamps.tolist())


def planted(stamps, kind):
    """Return stamps of LSL's clock as another clock would give them."""
    if kind == "unix":
        return stamps + UNIX
    if kind == "ms":
        return 1e3 * (stamps + UNIX)
    if kind in ("us", "ns"):
        return (1e6 if kind == "us" else 1e9) * (stamps + UNIX)
    if kind == "constant":
        return np.full_like(stamps, BEGUN)
    if kind == "falling":
        return 2 * BEGUN - stamps
    if kind == "seconds":
        return np.floor(stamps + UNIX)
    if kind == "future":
        return stamps + 2.0
    if kind == "same":
        return np.full_like(stamps, 1e-9)
    if kind == "device":
        return stamps * 1.00005 + 5e6
    if kind == "now":
        return np.full_like(stamps, pylsl.local_clock())
    return stamps


def main():
    settings = json.loads(sys.argv[1])
    outlet = Outlet(settings)
    markers = None
    if settings.get("markers"):
        info = pylsl.StreamInfo(settings["markers"], "Markers", 1, 0, "string", settings["source_id"] + "-markers")
        markers = pylsl.StreamOutlet(info)
    threading.Thread(target=outlet.run, daemon=True).start()
    print("up", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        what, answer = order.pop("do"), "done"
        with outlet.lock:
            if what == "silence":
                outlet.silent = order["on"]
            elif what == "skip":
                outlet.skip = order["n"]
            elif what == "step":
                outlet.step += order["seconds"]
            elif what == "bad":
                outlet.bad = {"channel": order["channel"], "value": float(order["value"])}
            elif what == "close":
                outlet.outlet = None
            elif what == "reopen":
                outlet.open({**settings, **order})
            elif what == "mark":
                stamp = pylsl.local_clock()
                markers.push_sample([order["text"]], float(planted(np.array([stamp]), order.get("stamps"))[0]))
                answer = repr(stamp)
            elif what == "hold":
                outlet.holding = order["on"]
            elif what == "taken":
                # When sample 0 was taken, and the true rate.
                answer = json.dumps([outlet.start, outlet.pace * (1 + 1e-6 * outlet.drift)])
            elif what == "close-markers":
                markers = None
            elif what == "open-markers":
                markers = pylsl.StreamOutlet(
                    pylsl.StreamInfo(settings["markers"], "Markers", 1, 0, "string", order["source_id"])
                )
            elif what == "sent":
                answer = str(outlet.k)
        print(answer, flush=True)


main()
