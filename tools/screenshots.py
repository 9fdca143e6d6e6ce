"""Takes the screenshots of the viewer: every page, two sizes, light and dark, English and Chinese.

    uv run python tools/screenshots.py            all of them, into docs/images
    uv run python tools/screenshots.py --quick    one size and look, for a glance

A simulated person imagines movements; the messages are those an engine sends. No display is needed. The pictures are
stored with a palette of 256 colours, which keeps them small.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from bcikit.acquisition import open_source
from bcikit.signal import Chunk, Decision, Event, StreamInfo, Verdict
from bcikit.signal.messages import (
    Alarmed,
    Decided,
    Electrode,
    Happened,
    LinkHealth,
    Message,
    OutputState,
    Quality,
    StateChanged,
)
from bcikit.ui.application import dress, prepare
from bcikit.ui.orders import Orders
from bcikit.viewer.window import ViewerWindow

TARGET = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZES = ((1280, 800), (1366, 768), (1920, 1080))
SECONDS = 42


def spin(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def simulated(seconds: float) -> tuple[StreamInfo, list[Chunk]]:
    """Return a stretch of the simulated person with one electrode that comes off and one with hum."""
    chunks = []
    with open_source("sim:motor-imagery?seed=3") as source:
        info = source.info
        while not chunks or chunks[-1].end_sample < seconds * info.sfreq:
            chunk = source.pull(1.0)
            if chunk is not None and chunk.n_times:
                chunks.append(chunk)
    bad, hum = info.ch_names.index("C3") if "C3" in info.ch_names else 0, 1
    rng = np.random.default_rng(0)
    for chunk in chunks:
        chunk.data[:, bad] += rng.standard_normal(chunk.n_times) * 120 + 300 * np.sin(chunk.times)
        chunk.data[:, hum] += 25 * np.sin(2 * np.pi * 50 * chunk.times)
    return info, chunks


class Quiet:
    """Takes orders and does nothing: the pictures show a session that could be stopped."""

    def send(self, order: dict[str, object]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def messages(info: StreamInfo, begin: float, end: float) -> list[Message]:
    rng = np.random.default_rng(1)
    said: list[Message] = [StateChanged(state="ACTIVE", time=begin)]
    bad = "C3" if "C3" in info.ch_names else info.ch_names[0]
    trial = 0
    for second in np.arange(begin + 1, end, 0.25).tolist():
        sample = round((second - begin) * info.sfreq)
        if (second - begin) % 8 == 1:
            trial += 1
            name = "left_hand" if trial % 2 else "right_hand"
            said.append(Happened(event=Event(name=f"cue/{name}", time=second, sample=sample)))
        right = 0.5 + 0.32 * np.sin(second / 2.5) + 0.05 * rng.standard_normal()
        p = float(np.clip(right, 0.04, 0.96))
        classes = ("left_hand", "right_hand")
        decision = Decision(
            time=second, sample=sample, classes=classes, probabilities=(p, 1 - p), label=classes[p <= 0.5],
            data={"threshold": 0.7},
        )  # fmt: skip
        refused = ("A-QUAL",) if second > end - 6 else ("A-CONF",) if max(p, 1 - p) < 0.7 else ()
        verdict = Verdict(
            time=second, sample=sample, allowed=not refused, label=None if refused else decision.label, reasons=refused,
            state="ACTIVE",
        )  # fmt: skip
        said.append(Decided(decision=decision, verdict=verdict, latency=0.0031 * float(rng.uniform(0.8, 1.6))))
        said.append(LinkHealth(time=second, lost=int(second - begin) // 9, received=sample))
    channels = {name: Electrode(level="GOOD") for name in info.ch_names}
    channels[bad], channels[info.ch_names[1]] = (
        Electrode(level="BAD", rules=("Q-RAIL",)),
        Electrode(level="WARN", rules=("Q-LINE",)),
    )
    said.append(Quality(channels=channels, time=end))
    said.append(OutputState(state={"closure": 0.55}, time=end))
    said.append(
        Alarmed(
            rule="Q-MONT",
            level="CAUTION",
            what="too few of the needed channels are usable",
            since=end - 6,
            value=0.94,
            limit=1.0,
            did="output held",
            channels=(bad,),
        )
    )
    said.append(
        Alarmed(
            rule="H-LOSS",
            level="ADVISORY",
            what="samples are being lost",
            since=end - 40,
            value=0.002,
            limit=0.001,
            active=False,
        )
    )
    return said


def viewer_pages(
    take: Callable[[QWidget, str], None], theme: str, language: str, size: tuple[int, int], stream: object
) -> None:
    info, chunks = stream  # type: ignore[misc]
    application = QApplication.instance()
    for preset in ("clinic", "research", "device"):
        window = ViewerWindow(dress(application, theme, language), orders=Orders(Quiet()), preset=preset)
        window.resize(*size)
        window.show()
        for kind in ("raw", "pipeline"):
            panel = window.add_stream(kind, info)
            if kind == "pipeline":
                panel.band.setCurrentText("off")
            for chunk in chunks:
                data = chunk.data if kind == "raw" else chunk.data - np.median(chunk.data, axis=1, keepdims=True)
                window.take_chunk(
                    kind, Chunk(np.ascontiguousarray(data), chunk.times, chunk.first_sample, chunk.health)
                )
        for message in messages(info, float(chunks[0].times[0]), float(chunks[-1].times[-1])):
            window.take_message(message)
        if preset == "device":
            window.trace_tabs.setCurrentIndex(0)
            window.traces["raw"].band.setCurrentText("1-40 Hz")
            window.show_panel("latency")
        if preset == "research":
            window.show_panel("headmap")
            window.show_panel("evidence")
        window._timer.stop()
        window._arrived = None
        spin(0.3)
        window.view.age = 0.012
        for _ in range(12):
            for panel_widget in window.panels.values():
                if panel_widget.isVisible():
                    panel_widget.refresh(window.view)
        window.strip.refresh(window.view.status, age=0.012, loss=0.0)
        window.traces["raw"].set_levels({n: q.level for n, q in window.view.status.quality.items()})
        window.traces["pipeline"].set_levels({n: q.level for n, q in window.view.status.quality.items()})
        spin(0.2)
        take(window, f"viewer-{preset}")
        window.close()
        window.deleteLater()


def with_palette(image: QImage) -> QImage:
    """Return a picture with its 256 most frequent colours; each other colour becomes the nearest of them."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    width, height = image.width(), image.height()
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(height, -1)[:, :width] & 0xFFFFFF
    colours, where, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    table = colours[np.argsort(-counts)[:256]]

    def split(values: np.ndarray) -> np.ndarray:
        return np.stack([(values >> shift) & 0xFF for shift in (16, 8, 0)], axis=-1).astype(np.float32)

    mine, kept = split(colours), split(table)
    nearest = np.empty(len(colours), np.uint8)
    for start in range(0, len(colours), 4096):
        part = mine[start : start + 4096, None, :] - kept[None]
        nearest[start : start + 4096] = (part**2).sum(axis=2).argmin(axis=1)
    small = np.ascontiguousarray(nearest[where.reshape(height, width)])
    result = QImage(small.data, width, height, width, QImage.Format.Format_Indexed8)
    result.setColorTable([0xFF000000 | int(colour) for colour in table])
    return result.copy()


def shoot(folder: Path, size: tuple[int, int], look: str, widget: QWidget, name: str) -> None:
    """Save a picture of a widget, and say if it has another size than wanted."""
    spin(0.25)
    picture = with_palette(widget.grab().toImage())
    picture.save(str(folder / f"{name}-{look}.png"), "PNG", 0)
    if (picture.width(), picture.height()) != size and name != "patient":
        print(f"{name}-{look}: {picture.width()}x{picture.height()}, wanted {size[0]}x{size[1]}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one size and look only")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    application = prepare()
    stream = simulated(SECONDS)
    looks = [("light", "en")] if options.quick else [(t, lang) for t in ("light", "dark") for lang in ("en", "zh")]
    sizes = SIZES[:1] if options.quick else SIZES
    for theme, language in looks:
        for size in sizes:
            take = partial(shoot, options.out, size, f"{theme}-{language}-{size[0]}x{size[1]}")
            viewer_pages(take, theme, language, size, stream)
    application.processEvents()
    pictures = list(options.out.glob("*.png"))
    print(f"{len(pictures)} pictures in {options.out}, {sum(p.stat().st_size for p in pictures) / 2**20:.1f} MB")


if __name__ == "__main__":
    main()
