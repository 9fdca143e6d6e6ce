"""``python -m bcikit.presentation``: the patient's window, for a session that runs in another process."""

import argparse
import os
import sys
from typing import Any

from bcikit.presentation.layout import Viewing
from bcikit.presentation.line import Line
from bcikit.presentation.presenter import DELAY, Flip
from bcikit.signal import BciError

ENV_URL = "BCIKIT_SCREEN"
"""Where the session listens, token included; in the environment, where other users of the machine cannot read it."""

REPORT = 0.25
"""Seconds between two reports of frame times."""


def main() -> int:
    """Show a session until it is over; 0 if it ended, 2 if it could not be joined."""
    from bcikit.presentation.qt.window import PLACES

    options = argparse.ArgumentParser(prog="python -m bcikit.presentation", description=main.__doc__)
    options.add_argument("--place", choices=PLACES, default="second")
    options.add_argument("--language", choices=("en", "zh"), default="en")
    options.add_argument("--patch", action="store_true", help="show the patch for a photodiode")
    options.add_argument("--blank", action="store_true", help="show nothing: the control of a simulated user")
    options.add_argument("--delay", type=float, default=DELAY)
    options.add_argument("--height-cm", type=float, default=30.0)
    options.add_argument("--distance-cm", type=float, default=70.0)
    given = options.parse_args()
    try:
        line = Line(os.environ.get(ENV_URL, ""), name="qt")
    except BciError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return _run(line, given)


def _run(line: Line, given: Any) -> int:
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from bcikit.presentation.qt.collecting import collect_between_events
    from bcikit.presentation.qt.keys import SpaceStops
    from bcikit.presentation.qt.view import SceneView, display_name
    from bcikit.presentation.qt.window import PatientWindow

    application = QApplication(sys.argv[:1])
    collect_between_events(application)
    times: list[float] = []

    def on_flip(flip: Flip) -> None:
        if flip.event.sample is not None:
            line.say(flip.report())

    view = SceneView(
        view=Viewing(language=given.language, height_cm=given.height_cm, distance_cm=given.distance_cm),
        delay=given.delay,
        patch=given.patch,
        on_flip=on_flip,
        on_frame=times.append,
    )
    view.blank(blanked=given.blank)
    window = PatientWindow(view)
    # Whichever window has the keyboard: the session is stopped from this one, too.
    application.installEventFilter(SpaceStops(lambda: line.say({"type": "stop"}), window))
    window.place(given.place)

    def greet() -> None:
        rate = view.measure_refresh()
        line.say({"type": "hello", "refresh": rate, "delay": given.delay, "display": display_name(view)})

    window.on_display = greet
    greet()

    def follow() -> None:
        for message in line.take():
            view.take(message)
        for sounded in view.heard():
            line.say(sounded)
        if line.gone:
            application.quit()

    def report() -> None:
        if times:
            rate = view.show_.presenter.refresh.rate
            line.say({"type": "frames", "refresh": rate, "times": times[:]})
            times.clear()

    for period, action in ((4, follow), (round(1000 * REPORT), report)):
        timer = QTimer(window)
        timer.timeout.connect(action)
        timer.start(period)
    application.exec()
    window.close()
    line.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
