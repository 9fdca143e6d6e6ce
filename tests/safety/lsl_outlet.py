"""An LSL outlet in a process of its own: told by lines on standard input to be silent, to go, or to come back."""

import sys
import threading
import time

import numpy as np
import pylsl


def outlet(source_id: str, n_channels: int) -> pylsl.StreamOutlet:
    info = pylsl.StreamInfo(f"safety {source_id}", "EEG", n_channels, 250.0, "double64", source_id)
    channels = info.desc().append_child("channels")
    for index in range(n_channels):
        channel = channels.append_child("channel")
        channel.append_child_value("label", f"E{index}")
        channel.append_child_value("unit", "microvolts")
    return pylsl.StreamOutlet(info, 10)


def main() -> None:
    source_id = sys.argv[1]
    orders: list[str] = []
    threading.Thread(target=lambda: orders.extend(line.strip() for line in sys.stdin), daemon=True).start()
    stream: pylsl.StreamOutlet | None = outlet(source_id, 4)
    rng = np.random.default_rng(0)
    print("up", flush=True)
    silent = False
    due = pylsl.local_clock()
    while True:
        time.sleep(max(0.0, due - pylsl.local_clock()))
        if stream is not None and not silent:
            stream.push_chunk(rng.normal(0, 10, (10, stream.channel_count)).tolist(), due)
        due += 0.04
        while orders:
            order = orders.pop(0)
            # Before it is done: an outlet that is destroyed may take its time.
            print(f"{order} {pylsl.local_clock()}", flush=True)
            silent = order == "silent" or (silent and order != "resume")
            if order == "destroy":
                stream = None
            if order == "smaller":
                stream = outlet(source_id, 3)
                silent = False


if __name__ == "__main__":
    main()
