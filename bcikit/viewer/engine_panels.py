"""Panels about the engine: posteriors and evidence, latency against its deadline, loss and jitter."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QLabel, QVBoxLayout

from bcikit.viewer.panel import Panel, View
from bcikit.viewer.plot import legend, make_plot, pen
from bcikit.viewer.strip import LATENCY_LIMITS_MS, LOSS_LIMITS, level_of
from bcikit.viewer.theme import LEVELS, Theme
from bcikit.viewer.words import tr


class EvidencePanel(Panel):
    """Probability of each class over the last half minute, and the evidence summed in the trial."""

    period = 0.2
    SECONDS = 30.0

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.plot = make_plot(theme, tr("Posteriors"), bottom=tr("seconds"), left=tr("probability"))
        self.plot.setYRange(0, 1)
        self.plot.setXRange(-self.SECONDS, 0)
        legend(self.plot, theme)
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
        self._curves: list[object] = []
        self._table: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Draw the newest decisions."""
        status = view.status
        classes = [str(name) for name in status.decision.get("classes") or ()]
        rows = [(t, p) for t, p, _ in status.trail if len(p) == len(classes)]
        if not classes or not rows:
            return
        while len(self._curves) < len(classes):
            index = len(self._curves)
            colour = self._theme.classes[index % len(self._theme.classes)]
            self._curves.append(
                self.plot.plot(pen=pen(colour), name=classes[index], symbol="o", symbolSize=4, symbolBrush=colour)
            )
        times = np.array([t for t, _ in rows]) - status.time
        values = np.array([p for _, p in rows])
        recent = times >= -self.SECONDS
        for index, curve in enumerate(self._curves[: len(classes)]):
            curve.setData(times[recent], values[recent, index])  # type: ignore[attr-defined]
        threshold = status.threshold()
        self._threshold.setVisible(threshold is not None)
        if threshold is not None:
            self._threshold.setValue(threshold)
        evidence = status.decision.get("data", {}).get("evidence")
        if isinstance(evidence, dict):
            parts = [f"{name} {float(value):+.2f}" for name, value in evidence.items()]
            self.evidence.setText(tr("Evidence: {values}").format(values=", ".join(parts)))
        elif isinstance(evidence, list | tuple):
            parts = [f"{name} {float(value):+.2f}" for name, value in zip(classes, evidence, strict=False)]
            self.evidence.setText(tr("Evidence: {values}").format(values=", ".join(parts)))
        self._table = [["time", *classes]]
        self._table += [[t, *p] for t, p in rows]

    def table(self) -> list[list[object]]:
        """Return the decisions kept."""
        return self._table


class LatencyPanel(Panel):
    """Time of each stage from the newest sample to the verdict, against its deadline."""

    period = 0.4

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.plot = make_plot(theme, tr("Latency"), bottom="ms")
        self._median = pg.BarGraphItem(x0=0, y=[], height=0.5, width=[], brush=theme.accent)
        self._worst = pg.ScatterPlotItem(symbol="d", size=9, brush=theme.warn, pen=None)
        self.plot.addItem(self._median)
        self.plot.addItem(self._worst)
        self._deadline = pg.InfiniteLine(angle=90, pen=pg.mkPen(theme.bad, width=1.5))
        self.plot.addItem(self._deadline)
        self._deadline.setVisible(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.text = QLabel(tr("No latency known: no engine is connected"))
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.text)
        self._table: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Draw the newest minute."""
        rows = list(view.status.latency)[-240:]
        if not rows:
            return
        stages = list(rows[-1][1])
        values = {stage: np.array([r[stage] for _, r in rows if stage in r]) for stage in stages}
        middle = [float(np.median(values[stage])) for stage in stages]
        worst = [float(np.percentile(values[stage], 99)) for stage in stages]
        at = np.arange(len(stages))[::-1]
        self._median.setOpts(x0=0, y=at, width=middle, height=0.5)
        self._worst.setData(worst, at)
        deadlines = view.status.health.get("deadline_ms")
        total = deadlines.get("total") if isinstance(deadlines, dict) else deadlines
        total = float(total or LATENCY_LIMITS_MS[0])
        self._deadline.setValue(total)
        # A deadline far away would squeeze the bars; then the words below say it.
        near = max(worst) > 0.2 * total
        self._deadline.setVisible(near)
        self.plot.setXRange(0, max(1.3 * max(worst), 1.1 * total if near else 0.0))
        known = {"filter": tr("filter"), "decode": tr("decode"), "gate": tr("gate"), "total": tr("total")}
        names = [(int(y), known.get(stage, stage)) for y, stage in zip(at, stages, strict=True)]
        axis = self.plot.getPlotItem().getAxis("left")
        axis.setTicks([names])
        axis.setWidth(70)
        last = stages.index("total") if "total" in stages else len(stages) - 1
        level = level_of(worst[last], (total, 2 * total))
        self.text.setText(
            tr("{shape} total: median {median:.1f} ms, 99 %: {worst:.1f} ms, deadline {deadline:.0f} ms").format(
                shape=LEVELS[level][0], median=middle[last], worst=worst[last], deadline=total
            )
        )
        self._table = [["stage", "median ms", "99 % ms"], *map(list, zip(stages, middle, worst, strict=True))]

    def table(self) -> list[list[object]]:
        """Return median and 99 percent of each stage."""
        return self._table


class LinkPanel(Panel):
    """Samples lost and the jitter of their times."""

    period = 0.4
    SECONDS = 120.0

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.plot = make_plot(theme, tr("Loss and jitter"), bottom=tr("seconds"), left=tr("ms, %"))
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
        links = list(view.status.links) or list(view.links)
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
