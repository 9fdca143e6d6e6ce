"""Draws the films of movements that are shipped: all pictures on one sheet each (uv run python tools/films.py)."""

import json
import math
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPen

from bcikit.paradigms.films import FOLDER
from bcikit.presentation.qt.hand import draw_hand

WIDTH, HEIGHT, RATE, SECONDS, COLUMNS = 480, 360, 10.0, 4.0, 8


def ease(share: float) -> float:
    """Return a smooth step from 0 to 1."""
    share = min(max(share, 0.0), 1.0)
    return 0.5 - 0.5 * math.cos(math.pi * share)


def hand_open(painter: QPainter, t: float) -> None:
    """Draw a closed hand that opens, stays open and closes."""
    closure = 1.0 - ease((t - 0.4) / 1.2) + ease((t - 2.6) / 1.2)
    draw_hand(painter, QRectF(80, 10, 320, 340), closure)


def reach_cup(painter: QPainter, t: float) -> None:
    """Draw a hand that reaches for a cup, grasps it, lifts it and puts it down."""
    reach = ease(t / 1.0) - ease((t - 3.4) / 0.6)
    grip = 0.62 * (ease((t - 1.0) / 0.6) - ease((t - 3.0) / 0.4))
    lift = 70.0 * (ease((t - 1.6) / 0.6) - ease((t - 2.4) / 0.6))
    painter.fillRect(QRectF(0, 318, WIDTH, 42), QColor("#3a434d"))
    top = 170 - lift
    painter.setPen(QPen(QColor("#7cc4ff"), 12))
    painter.setBrush(QColor("#101418"))
    painter.drawEllipse(QRectF(150, top + 40, 60, 70))
    painter.setPen(QPen(QColor("#2f6d9c"), 4))
    painter.setBrush(QColor("#7cc4ff"))
    painter.drawRoundedRect(QRectF(180, top, 120, 150), 14, 14)
    draw_hand(painter, QRectF(380 - 165 * reach, 80 - lift, 210, 240), grip)


def main() -> None:
    """Write the films."""
    application = QGuiApplication.instance() or QGuiApplication(sys.argv)
    frames = round(SECONDS * RATE)
    for name, draw in (("hand-open", hand_open), ("reach-cup", reach_cup)):
        sheet = QImage(COLUMNS * WIDTH, math.ceil(frames / COLUMNS) * HEIGHT, QImage.Format.Format_RGB32)
        sheet.fill(QColor("#101418"))
        for number in range(frames):
            picture = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32)
            picture.fill(QColor("#101418"))
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw(painter, number / RATE)
            painter.end()
            painter = QPainter(sheet)
            painter.drawImage((number % COLUMNS) * WIDTH, number // COLUMNS * HEIGHT, picture)
            painter.end()
        write(sheet, FOLDER / f"{name}.png")
        about = {"width": WIDTH, "height": HEIGHT, "columns": COLUMNS, "frames": frames, "rate": RATE}
        (FOLDER / f"{name}.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    del application


def write(sheet: QImage, path: Path) -> None:
    """Write a sheet with 64 colours: it is drawn, not filmed."""
    from PIL import Image

    sheet.save(str(path))
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    main()
