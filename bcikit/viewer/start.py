"""Starts the viewer: finds the streams, makes the windows, runs Qt."""

import argparse
import os
import sys
from collections.abc import Sequence

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from bcikit.acquisition import Source, open_source
from bcikit.signal import BciError
from bcikit.viewer import theme as themes
from bcikit.viewer import words
from bcikit.viewer.orders import Orders
from bcikit.viewer.reader import StreamReader, TextInlet, TextReader
from bcikit.viewer.window import SpaceStops, ViewerWindow


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of ``python -m bcikit.viewer``."""
    parser = argparse.ArgumentParser(prog="python -m bcikit.viewer", description="The live viewer of bcikit.")
    parser.add_argument("--session", help="id of a running session: finds bcikit-ID-raw, -filtered and -status")
    parser.add_argument("--raw", help="name of the LSL stream as the device sends it")
    parser.add_argument("--filtered", help="name of the LSL stream as the decoder sees it")
    parser.add_argument("--status", help="name of the LSL stream of messages")
    parser.add_argument("--source", help="address of a source, as 'lsl:name=EEG', or the folder of a session")
    parser.add_argument("--language", choices=list(words.LANGUAGES), default=None)
    parser.add_argument("--theme", choices=list(themes.THEMES), default="dark")
    parser.add_argument("--size", default="1280x800", help="of the window, as 1280x800")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds to wait for a stream")
    parser.add_argument("--exit-at-end", action="store_true", help="close when the session is finished")
    parser.add_argument("--screenshot", help="file to save a picture of the window to")
    parser.add_argument("--after", type=float, default=5.0, help="seconds after which the picture is taken")
    return parser.parse_args(arguments)


def _lsl_opener(name: str, wait: float) -> StreamReader:
    def opener() -> Source:
        return open_source(f"lsl:name={name}&timeout={wait:g}")

    return StreamReader(opener)


def _text_opener(name: str, wait: float) -> TextReader:
    def opener() -> TextInlet:
        from bcikit.acquisition import LslTextInlet

        return LslTextInlet(name=name, timeout=wait)

    return TextReader(opener)


def _orders() -> Orders:
    from bcikit.session.control import ControlClient

    try:
        return Orders(ControlClient.from_environment())
    except BciError as error:
        print(f"The window cannot send orders: {error}", file=sys.stderr)  # noqa: T201 - a program's own output
        return Orders(None)


def make_window(options: argparse.Namespace, theme: themes.Theme) -> ViewerWindow:
    """Return the window for the options, with its readers running."""
    if options.session:
        options.raw = options.raw or f"bcikit-{options.session}-raw"
        options.filtered = options.filtered or f"bcikit-{options.session}-filtered"
        options.status = options.status or f"bcikit-{options.session}-status"
    raw = _lsl_opener(options.raw, options.wait) if options.raw else None
    filtered = _lsl_opener(options.filtered, options.wait) if options.filtered else None
    status = _text_opener(options.status, options.wait) if options.status else None
    if options.source and raw is None:
        address = options.source
        raw = StreamReader(lambda: open_source(address))
    for reader in (raw, filtered, status):
        if reader is not None:
            reader.start()
    title = options.session or options.source or options.raw or ""
    return ViewerWindow(
        theme,
        raw=raw,
        filtered=filtered,
        status=status,
        orders=_orders(),
        settings=QSettings("bcikit", "viewer"),
        title=f"bcikit – {title}" if title else "",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the viewer until its window is closed and return the exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    theme = themes.THEMES[options.theme]
    themes.apply(application, theme)
    words.install(application, options.language or words.system_language())
    window = make_window(options, theme)
    application.installEventFilter(SpaceStops(window.stop, window))
    width, _, height = options.size.partition("x")
    window.resize(int(width), int(height))
    window.show()
    if options.exit_at_end:
        window.ended.connect(lambda: QTimer.singleShot(1500, window.close))
    if options.screenshot:
        QTimer.singleShot(round(options.after * 1000), lambda: window.grab().save(options.screenshot))
    return int(application.exec())
