"""The ward view in a real browser: pictures a second of a session of 64 channels, and when a stale engine is shown."""

import sys
import threading
import time

import numpy as np
from chromium import PROGRAM, open_page
from table import Row

CHANNELS, RATE = 64, 250.0


def ward_rows(*, quick: bool) -> list[Row]:
    """Return the lines of the table; none where there is no Chromium."""
    if PROGRAM is None:
        print("No Chromium: the ward view is not measured (apt-get install chromium)", file=sys.stderr)
        return []
    from bcikit.session.channel import ChannelServer
    from bcikit.signal import Chunk, StreamInfo
    from bcikit.signal.messages import Filtered, StateChanged, Streams
    from bcikit.ui.session_link import SessionLink
    from bcikit.viewer.ward import WardServer

    server = ChannelServer()
    info = StreamInfo(name="x", sfreq=RATE, ch_names=tuple(f"Ch{n}" for n in range(CHANNELS)))
    server.say(Streams(raw=info.to_dict(), filtered=info.to_dict(), title="a session"))
    server.say(StateChanged(state="ACTIVE"))
    frozen, over = threading.Event(), threading.Event()

    def speak() -> None:
        rng, sample, begin = np.random.default_rng(0), 0, time.monotonic()
        while not over.wait(0.01):
            if frozen.is_set():
                continue
            server.touch()
            due = int((time.monotonic() - begin) * RATE) - sample
            if due > 0:
                data = rng.standard_normal((due, CHANNELS)) * 20
                server.say(Filtered(chunk=Chunk(data, np.arange(due) / RATE, sample), time=sample / RATE))
                sample += due

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    link = SessionLink(server.ticket("observer")).start()
    ward = WardServer(link)
    try:
        with open_page(ward.url) as page:
            page.until("bcikit.columns > 50 && bcikit.drawn > 5")
            before, begin = page.value("bcikit.drawn"), time.monotonic()
            time.sleep(3 if quick else 10)
            rate = (page.value("bcikit.drawn") - before) / (time.monotonic() - begin)
            frozen.set()
            stopped = time.monotonic()
            page.until("bcikit.stale !== ''")
            late = time.monotonic() - stopped
        with open_page(ward.url.replace(ward.key, "x" * 32)) as page:
            page.until("bcikit.refused")
            seen = int(page.value("bcikit.columns"))
    finally:
        over.set()
        thread.join(5)
        ward.close()
        link.halt()
        server.close()
    return [
        Row("ward view, pictures a second, 64 ch", f"{rate:.0f}", "-", rate, ">= 20", rate >= 20),
        Row("ward view, a stale engine is shown after", f"{late:.2f} s", "-", late, "<= 1 s", late <= 1.0),
        Row("ward view, columns seen with a wrong key", f"{seen}", "-", float(seen), "0", seen == 0),
    ]


if __name__ == "__main__":
    from table import show

    show("Ward view", ward_rows(quick="--quick" in sys.argv), as_json=False)
