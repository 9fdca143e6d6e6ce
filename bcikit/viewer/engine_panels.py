"""Panels about the engine: posteriors and evidence, latency against its deadline, loss and jitter."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QLabel, QVBoxLayout

from bcikit.ui.status import Status
from bcikit.ui.strip import LATENCY_LIMITS_MS, LOSS_LIMITS, level_of
from bcikit.ui.theme import LEVELS, Theme
from bcikit.ui.words import tr
from bcikit.viewer.panel import Panel, View
from bcikit.viewer.plot import class_pen, legend, make_plot, pen
from bcikit.viewer.stage_bars import StageBars, stage_level


class EvidencePanel(Panel):
    """Probability of each class over the last half minute, and the evidence summed in the trial."""

    period = 0.2
    SECONDS = 30.0
    PAUSE = 1.0

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.plot = make_plot(theme, tr("Posteriors"), bottom=tr("seconds"), left=tr("probability"))
        self.plot.setYRange(0, 1)
        self.plot.setXRange(-self.SECONDS, 0)
        self._legend = legend(self.plot, theme)
        self._threshold = pg.InfiniteLine(angle=0, pen=pg.mkPen(theme.text, style=pg.QtCore.Qt.PenStyle.DashLine))
        self._threshold.setVisible(False)
        self.plot.addItem(self._threshold)
        self.evidence = QLabel("")
        self.evidence.setWordWrap(True)
        self.evidence.setAccessibleName(tr("Evidence"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.evidence)
        self._classes: tuple[str, ...] = ()
        self._curves: list[Any] = []
        self._dots: list[Any] = []
        self._table: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Draw the newest decisions."""
        status = view.status
        said = [(t, names, p) for t, names, p, _ in status.trail if p and len(p) == len(names)]
        if not said:
            self._forget()
            return
        # A decision that could say nothing may have its classes in another order, or be of another question.
        self._name(said[-1][1])
        classes, wanted = self._classes, set(self._classes)
        rows = [
            (t, p if names == classes else [p[names.index(name)] for name in classes])
            for t, names, p in said
            if names == classes or set(names) == wanted
        ]
        times = np.array([t for t, _ in rows]) - status.time
        values = np.array([p for _, p in rows])
        recent = times >= -self.SECONDS
        # No line from one trial to the next: between them nothing was decided.
        joined = np.append(np.diff(times[recent]) < self.PAUSE, [False]).astype(np.int32)
        for index, curve in enumerate(self._curves[: len(classes)]):
            curve.setData(times[recent], values[recent, index], connect=joined)
            self._dots[index].setData(times[recent], values[recent, index])
        threshold = status.threshold()
        self._threshold.setVisible(threshold is not None)
        if threshold is not None:
            self._threshold.setValue(threshold)
        evidence = status.decision.get("data", {}).get("evidence")
        if isinstance(evidence, dict):
            parts = [f"{name} {float(value):+.2f}" for name, value in evidence.items()]
            self.evidence.setText(tr("Evidence: {values}").format(values=", ".join(parts)))
        elif isinstance(evidence, list | tuple):
            own = status.decision.get("classes") or ()
            parts = [f"{name} {float(value):+.2f}" for name, value in zip(own, evidence, strict=False)]
            self.evidence.setText(tr("Evidence: {values}").format(values=", ".join(parts)))
        elif len(classes) > 1:
            order = np.argsort(values[-1])[::-1]
            p, q = np.maximum(values[-1][order[:2]], 1e-6)
            self.evidence.setText(
                tr("Evidence: {name} against {other}, log odds {value:+.2f}").format(
                    name=classes[order[0]], other=classes[order[1]], value=float(np.log(p / q))
                )
            )
        self._table = [["time", *classes]]
        self._table += [[t, *p] for t, p in rows]

    def _name(self, classes: tuple[str, ...]) -> None:
        """Give each class a curve, and the legend its name; the same classes stay where they are."""
        if set(classes) == set(self._classes):
            return
        self._classes = classes
        for curve in self._curves:
            self._legend.removeItem(curve)
        self._clear()
        for index, name in enumerate(classes):
            if index == len(self._curves):
                colour = self._theme.classes[index % len(self._theme.classes)]
                self._curves.append(self.plot.plot(pen=class_pen(self._theme, index)))
                # No symbols of the curve: those get a new brush with each call, and pyqtgraph keeps a picture of each.
                self._dots.append(pg.ScatterPlotItem(size=5, brush=colour, pen=None))
                self.plot.addItem(self._dots[-1])
            self._legend.addItem(self._curves[index], name)

    def _clear(self) -> None:
        for drawn in (*self._curves, *self._dots):
            drawn.setData([], [])

    def _forget(self) -> None:
        """Show nothing: nothing was decided yet at the moment that is shown."""
        self._clear()
        self._threshold.setVisible(False)
        self.evidence.setText("")
        self._table = []

    def table(self) -> list[list[object]]:
        """Return the decisions kept."""
        return self._table


class LatencyPanel(Panel):
    """Time of each stage from the newest sample to the verdict, each against its deadline."""

    period = 0.4

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.bars = StageBars(theme)
        self.text = QLabel(tr("No latency known: no engine is connected"))
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.bars, 1)
        layout.addWidget(self.text)
        self._stages: dict[str, dict[str, float]] = {}

    def refresh(self, view: View) -> None:
        """Show what the engine measured in its last seconds."""
        stages = view.status.stages or _from_messages(view.status)
        if not stages or stages == self._stages:
            return
        self._stages = stages
        self.bars.show_stages(stages)
        total = stages.get("total")
        if total is None:
            self.text.setText(tr("No decision in the last seconds"))
            return
        self.text.setText(
            tr("{shape} total: median {median:.1f} ms, 99 %: {worst:.1f} ms, deadline {deadline:.0f} ms").format(
                shape=LEVELS[stage_level(total) or "GOOD"][0],
                median=total["p50"],
                worst=total["p99"],
                deadline=total["deadline"],
            )
        )

    def table(self) -> list[list[object]]:
        """Return median, 99 percent, longest and deadline of each stage."""
        if not self._stages:
            return []
        keys = ("p50", "p99", "max", "deadline")
        rows: list[list[object]] = [
            [stage, *(values.get(key, "") for key in keys)] for stage, values in self._stages.items()
        ]
        return [["stage", "median ms", "99 % ms", "max ms", "deadline ms"], *rows]


def _from_messages(status: Status) -> dict[str, dict[str, float]]:
    """Return what single messages told of latency, for engines that send no summary."""
    rows = [stages for _, stages in list(status.latency)[-240:]]
    found = {}
    for stage in rows[-1] if rows else ():
        took = np.array([row[stage] for row in rows if stage in row])
        values = {"p50": np.median(took), "p99": np.percentile(took, 99), "max": took.max()}
        found[stage] = {key: float(value) for key, value in values.items()}
        if stage == "total":
            found[stage]["deadline"] = LATENCY_LIMITS_MS[1]
    return found


class LinkPanel(Panel):
    """Samples lost and the jitter of their times."""

    period = 0.4
    SECONDS = 120.0

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.plot = make_plot(theme, tr("Loss and jitter"), bottom=tr("seconds"), left=tr("ms, %"))
        # The even times of a file have the jitter of rounding, 1e-13 ms: filling the panel it looks real.
        self.plot.setLimits(minXRange=1.0, minYRange=0.1)
        legend(self.plot, theme)
        self._jitter = self.plot.plot(pen=pen(theme.accent), name=tr("jitter, ms"))
        self._loss = self.plot.plot(pen=pen(theme.bad), name=tr("loss, %"))
        self.text = QLabel("")
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.text)

    def refresh(self, view: View) -> None:
        """Draw what the engine says, or what this window sees where there is none."""
        links = list(view.links)
        if links:
            times = np.array([t for t, _, _ in links])
            times = times - times[-1]
            recent = times >= -self.SECONDS
            self._loss.setData(times[recent], np.array([loss for _, loss, _ in links])[recent])
            self._jitter.setData(times[recent], np.array([jitter for _, _, jitter in links])[recent])
        received = view.status.health.get("received", view.received)
        lost = view.status.health.get("lost", view.lost)
        percent = view.status.loss_percent()
        percent = view.loss_percent if percent is None else percent
        shape = LEVELS.get(level_of(percent, LOSS_LIMITS), ("", ""))[0]
        jitter = f"{links[-1][2]:.2f} ms" if links else "–"
        words = tr("{shape} lost {lost} of {total} samples ({percent:.3f} %), jitter {jitter}")
        total = int(received or 0) + int(lost or 0)
        self.text.setText(words.format(shape=shape, lost=lost, total=total, percent=percent or 0.0, jitter=jitter))

    def table(self) -> list[list[object]]:
        """Return the numbers in words."""
        return [["text"], [self.text.text()]]
