"""A headset with a person under it, in a process of its own: ``python headset.py SOURCE_ID SEED``.

The twin's signals go out by LSL at a person's pace. What the person sees comes by standard input, one event's name a
line; the end of the input ends it.
"""

import sys
import threading

from bcikit.acquisition import open_source
from bcikit.acquisition.outlet import LslOutlet
from bcikit.signal import Event, HostClock


def main(source_id: str, seed: str) -> None:
    seen: list[str] = []
    over = threading.Event()

    def read() -> None:
        for line in sys.stdin:
            seen.append(line.strip())
        over.set()

    threading.Thread(target=read, daemon=True).start()
    source = open_source(f"sim:motor-imagery?seed={seed}&ability=1&channels=8&live=1")
    with source, LslOutlet(source.info, name="Headset", source_id=source_id) as outlet:
        print("up", flush=True)
        while not over.is_set():
            while seen:
                source.on_event(Event(name=seen.pop(0), time=HostClock().now()))
            chunk = source.pull(0.5)
            if chunk is not None:
                outlet.push(chunk)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
