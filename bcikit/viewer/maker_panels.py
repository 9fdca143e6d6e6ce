"""Panels for those who make devices: what the driver counts, the clock, trends, and a scope with a trigger."""

import math
import time
from collections import deque
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtWidgets import QLabel, QVBoxLayout

from bcikit.ui.inputs import choice
from bcikit.ui.numbers import NumberField
from bcikit.ui.tables import fill_table, impedance_text, make_table
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.clock import allan_deviation, time_errors
from bcikit.viewer.groups import unit_of
from bcikit.viewer.panel import Panel, View
from bcikit.viewer.plot import legend, log_ticks, make_plot, pen
from bcikit.viewer.signal_panels import ChannelPanel

TREND_SECONDS = 1800
"""Seconds that trends go back: one point a second."""


class DevicePanel(Panel):
    """What the driver counts: samples, losses, repeats, rate, drift, buffer, battery."""

    period = 1.0

    def __init__(self, theme: Theme) -> None:  # noqa: ARG002 - every panel is made alike
        super().__init__()
        self.counts = make_table([tr("Quantity"), tr("Value")], tr("Device"))
        self.counts.verticalHeader().setDefaultSectionSize(22)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.counts, 1)
        self._rows: list[list[str]] = []

    def refresh(self, view: View) -> None:
        """Show the newest counts."""
        self._rows = _device_rows(view)
        fill_table(self.counts, self._rows)

    def table(self) -> list[list[object]]:
        """Return the same."""
        rows: list[list[object]] = [list(row) for row in self._rows]
        return [["quantity", "value"], *rows] if rows else []


def _device_rows(view: View) -> list[list[str]]:
    """Return names and values of what the source counts and measures."""
    device, info = view.device, view.info
    if not device or info is None:
        return []
    scale = info.capabilities.full_scale

    def number(key: str, unit: str = "", *, factor: float = 1.0, digits: int = 4) -> str:
        value = device.get(key)
        return "–" if value is None else f"{float(value) * factor:.{digits}g} {unit}".strip()

    drift = number("drift_ppm", digits=3)
    wide = device.get("drift_uncertainty_ppm")
    whole = [(tr("samples"), "samples"), (tr("lost"), "lost"), (tr("gaps"), "gaps"), (tr("repeated"), "repeated")]
    whole += [(tr("out of order"), "reordered"), (tr("bad samples"), "bad_samples"), (tr("overflows"), "overflows")]
    whole += [(tr("reconnects"), "reconnects"), (tr("steps of the clock"), "clock_steps")]
    modulus = info.capabilities.packet_modulus
    return [
        *([name, str(device.get(key, "–"))] for name, key in whole),
        [tr("rate found"), number("rate", "Hz", digits=7)],
        [tr("rate stated"), f"{info.sfreq:g} Hz"],
        [tr("drift"), f"{drift} ± {wide:.2g} ppm" if isinstance(wide, int | float) and math.isfinite(wide) else "–"],
        [tr("dated by"), str(device.get("stamps", "–"))],
        [tr("uncertainty of the times"), number("time_uncertainty", "ms", factor=1e3)],
        [tr("jitter of the stamps"), number("jitter", "ms", factor=1e3)],
        [tr("packet counter"), "–" if modulus is None else f"0 … {modulus - 1}"],
        [tr("full scale"), "–" if scale is None else f"±{scale:g} {info.unit}"],
        [tr("buffer of the driver"), number("buffer_fill", "%", factor=100, digits=3)],
        [tr("battery"), number("battery", "%", digits=3)],
    ]


class ClockPanel(Panel):
    """How evenly blocks come, and the Allan deviation of the device's clock as this computer sees it."""

    period = 2.0

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.spread = make_plot(theme, tr("How late blocks come"), bottom="ms", left=tr("blocks"))
        self.allan = make_plot(theme, tr("Allan deviation"), bottom=tr("seconds"), left=tr("relative"))
        self.allan.setLogMode(x=True, y=True)
        self._bars = pg.BarGraphItem(x=[0.0], height=[0.0], width=1.0, brush=theme.accent, pen=None)
        self.spread.addItem(self._bars)
        self._curve = self.allan.plot(pen=pen(theme.accent))
        self.text = QLabel(tr("Only where this window reads the device itself"))
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.spread, 1)
        layout.addWidget(self.allan, 1)
        layout.addWidget(self.text)
        self._rows: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Compute and draw."""
        info = view.info
        seconds, errors = time_errors(list(view.arrivals), 0.0 if info is None else info.sfreq)
        if not errors.size:
            return
        late = (errors - errors.min()) * 1e3
        counts, edges = np.histogram(late, bins=60)
        self._bars.setOpts(x=(edges[:-1] + edges[1:]) / 2, height=counts, width=max(float(edges[1] - edges[0]), 1e-6))
        taus, deviations = allan_deviation(seconds, errors)
        good = deviations > 0
        self._curve.setData(taus[good], deviations[good])
        # Few of them: in a panel the numbers of a whole decade would lie on each other.
        for side, values in (("left", deviations[good]), ("bottom", taus[good])):
            if values.size:
                ticks = log_ticks(float(values.min()), float(values.max()))
                self.allan.getPlotItem().getAxis(side).setTicks(ticks)
        p50, p99 = np.percentile(late, [50, 99])
        self.text.setText(
            tr(
                "{count} blocks in {seconds:.0f} s: half less than {median:.2f} ms late, 99 % less than {most:.2f} ms"
            ).format(count=errors.size, seconds=seconds[-1], median=p50, most=p99)
        )
        self._rows = [["tau s", "Allan deviation"], *map(list, zip(taus.tolist(), deviations.tolist(), strict=True))]

    def table(self) -> list[list[object]]:
        """Return the Allan deviation."""
        return self._rows


class TrendPanel(Panel):
    """Battery, loss and the impedance of every electrode over the last half hour."""

    period = 1.0
    collects = True

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.ohms = make_plot(theme, tr("Impedance"), left="kΩ")
        self.charge = make_plot(theme, tr("Battery and loss"), bottom=tr("minutes"), left="%")
        legend(self.charge, theme)
        self._battery = self.charge.plot(pen=pen(theme.accent), name=tr("battery, %"))
        self._loss = self.charge.plot(pen=pen(theme.bad), name=tr("loss, %"))
        self._curves: dict[str, Any] = {}
        self.text = QLabel("")
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.ohms, 1)
        layout.addWidget(self.charge, 1)
        layout.addWidget(self.text)
        self._points: deque[tuple[float, float, float, dict[str, float]]] = deque(maxlen=TREND_SECONDS)

    def collect(self, view: View) -> None:
        """Take one point."""
        now = time.monotonic()
        if self._points and now < self._points[-1][0] + 0.9:
            return
        battery = view.device.get("battery")
        loss = view.loss_percent
        ohms = {str(name): float(ohm) for name, ohm in (view.device.get("impedances") or {}).items()}
        self._points.append(
            (now, math.nan if battery is None else float(battery), math.nan if loss is None else loss, ohms)
        )

    def refresh(self, view: View) -> None:
        """Take one point and draw."""
        self.collect(view)
        minutes = (np.array([point[0] for point in self._points]) - self._points[-1][0]) / 60
        self._battery.setData(minutes, np.array([point[1] for point in self._points]), connect="finite")
        self._loss.setData(minutes, np.array([point[2] for point in self._points]), connect="finite")
        newest = self._points[-1][3]
        for name in newest:
            if name not in self._curves:
                colour = self._theme.classes[len(self._curves) % len(self._theme.classes)]
                self._curves[name] = self.ohms.plot(pen=pen(colour))
        for name, curve in self._curves.items():
            values = np.array([point[3].get(name, math.nan) / 1e3 for point in self._points])
            curve.setData(minutes, values, connect="finite")
        if newest:
            self.text.setText(", ".join(f"{name} {impedance_text(ohm)}Ω" for name, ohm in newest.items()))
        else:
            self.text.setText(tr("The device tells no impedance"))

    def table(self) -> list[list[object]]:
        """Return all points."""
        names = list(self._curves)
        rows: list[list[object]] = [
            [t, battery, loss, *(ohms.get(name, "") for name in names)] for t, battery, loss, ohms in self._points
        ]
        return [["s", "battery %", "loss %", *(f"{name} ohm" for name in names)], *rows]


class ScopePanel(ChannelPanel):
    """An oscilloscope: the newest sweep of one channel that begins where it crosses a level."""

    period = 0.1
    BEFORE = 0.1
    SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, raw=True)
        words = {0.5: "0.5 s"}
        self._spans = {words.get(value, f"{value:g} s"): value for value in self.SECONDS}
        self.span = choice(tr("Sweep"), list(self._spans), lambda _: None, start="0.5 s")
        self.slope = choice(tr("Slope"), [tr("rising"), tr("falling")], lambda _: None)
        self.level = NumberField(tr("Trigger level"), low=-1e9, high=1e9, decimals=1, step=5.0, unit="µV")
        self.level.set_value(0.0)
        self.level.setMaximumWidth(90)
        for control in (self.span, self.slope, self.level):
            self.head.insertWidget(self.head.count() - 1, control)
        self.plot = make_plot(theme, tr("Scope"), bottom=tr("seconds"), left="µV")
        self._sweep = self.plot.plot(pen=pen(theme.accent))
        self._line = pg.InfiniteLine(angle=0, pen=pg.mkPen(theme.dim, style=pg.QtCore.Qt.PenStyle.DashLine))
        self.plot.addItem(self._line)
        self.text = QLabel("")
        self.body.addWidget(self.plot, 1)
        self.body.addWidget(self.text)
        self._rows: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Find the newest trigger and draw its sweep."""
        history = self.history(view)
        level = self.level.value()
        if history is None or level is None:
            return
        seconds = self._spans[self.span.currentText()]
        count, before = max(8, round(seconds * history.rate)), round(self.BEFORE * seconds * history.rate)
        values = history.newest(max(4.0, 3 * seconds))[:, self.column()]
        up = self.slope.currentIndex() == 0
        crossed = crossings(values, level, rising=up)
        usable = crossed[(crossed >= before) & (crossed + count - before <= values.size)]
        self._line.setValue(level)
        if not usable.size:
            self.text.setText(tr("no trigger: the signal does not cross the level"))
            return
        first = int(usable[-1]) - before
        part = values[first : first + count]
        at = (np.arange(part.size) - before) / history.rate
        self._sweep.setData(at, part, connect="finite")
        periods = np.diff(crossed) / history.rate
        rate = f"{1 / float(np.median(periods)):.3f} Hz" if periods.size else "–"
        span = float(np.nanmax(part) - np.nanmin(part))
        self.text.setText(
            tr("{rate} between triggers, peak to peak {pp:.2f} {unit}, mean {mean:.2f} {unit}").format(
                rate=rate,
                pp=span,
                mean=float(np.nanmean(part)),
                unit=unit_of(history.info, history.info.ch_types[self.column()]),
            )
        )
        self._rows = [["s", history.info.ch_names[self.column()]], *np.column_stack([at, part]).tolist()]

    def table(self) -> list[list[object]]:
        """Return the sweep."""
        return self._rows


def crossings(values: NDArray[np.float64], level: float, *, rising: bool) -> NDArray[np.intp]:
    """Return the first samples at or beyond a level after one before it; lost samples (NaN) cross nothing."""
    with np.errstate(invalid="ignore"):
        beyond = values >= level if rising else values <= level
        short = values < level if rising else values > level
    return np.flatnonzero(short[:-1] & beyond[1:]) + 1
