"""Panels about events: the averaged response while it grows, and the map of desynchronisation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout

from bcikit.recording.lateness import Lateness, is_planned
from bcikit.signal import Event
from bcikit.ui.head_widget import HeadWidget
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.analysis import EventAverages
from bcikit.viewer.panel import Panel, View
from bcikit.viewer.plot import class_pen, legend, make_plot, pen
from bcikit.viewer.signal_panels import ChannelPanel
from bcikit.viewer.still import AnyHistory, StillHistory

PREFIXES = ("cue/", "stimulus/", "stim/", "flash/", "target/", "nontarget/")
"""Events that start an epoch: what the person sees or hears."""


def _kind(name: str, data: Mapping[str, Any]) -> str:
    """Return what an epoch is averaged with: flashes of what is attended to are of another kind than the others."""
    kind, target = name.split("/", 1)[1], data.get("target")
    return f"{kind}, {tr('target') if target else tr('no target')}" if isinstance(target, bool) else kind


class EpochFeed:
    """Feeds averages from the events and samples of a view; several panels may share one."""

    def __init__(
        self, *, tmin: float, tmax: float, baseline: tuple[float, float], band: tuple[float, float] | None = None
    ) -> None:
        self._options = {"tmin": tmin, "tmax": tmax, "baseline": baseline, "band": band}
        self.averages: EventAverages | None = None
        self._history: AnyHistory | None = None
        self._seen = 0
        self.planned = 0
        self._waiting: list[tuple[Event, str]] = []
        self._taken: set[tuple[str, float]] = set()

    def update(self, view: View) -> EventAverages | None:
        """Take new events and the epochs that became complete; None while there is no stream."""
        history = view.best
        if history is None:
            return None
        if self.averages is None or history is not self._history:
            self._history = history
            self.averages = EventAverages(history.rate, **self._options)  # type: ignore[arg-type]
            self._seen = self.planned = 0
            self._waiting, self._taken = [], set()
        fresh = min(view.status.n_events - self._seen, len(view.status.events))
        self._seen = view.status.n_events
        for values in list(view.status.events)[len(view.status.events) - fresh :]:
            event = Event.from_dict(values)
            # A window that joins again is told again what it knows.
            if event.name.startswith(PREFIXES) and (event.name, event.time) not in self._taken:
                self._taken.add((event.name, event.time))
                self._waiting.append((event, _kind(event.name, event.data)))
        self._place(history, self.averages, view.status.late)
        for first, stop, name in self.averages.collect(history.start, history.end):
            self.averages.add(history.get(first, stop), name)
        return self.averages

    def _place(self, history: AnyHistory, averages: EventAverages, late: Lateness) -> None:
        """Put events where a screen showed them; where none has told it by the end of the epoch, where planned."""
        waiting = []
        for event, kind in self._waiting:
            shown = late.of(event)
            still = isinstance(history, StillHistory)
            if shown is not None or not is_planned(event):
                averages.event(history.sample_at(event.time + (shown or 0.0)), kind)
            elif still or history.sample_at(event.time) + averages.after <= history.end:
                averages.event(history.sample_at(event.time), kind)
                self.planned += 1
            else:
                waiting.append((event, kind))
        self._waiting = waiting

    def said(self) -> str:
        """Return how many epochs stand at planned times, for a person; "" if none does."""
        text = tr("Around planned times, as no screen told when it was shown: {count}")
        return f"\n{text.format(count=self.planned)}" if self.planned else ""


class ErpPanel(ChannelPanel):
    """Mean of the signal around each kind of event, with the number of epochs in it."""

    period = 0.5
    collects = True

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.epochs = EpochFeed(tmin=-0.2, tmax=0.8, baseline=(-0.2, 0.0))
        self.plot = make_plot(theme, tr("Averaged response"), bottom="s", left="µV")
        legend(self.plot, theme)
        self.plot.addLine(x=0, pen=pen(theme.dim))
        self._curves: dict[str, object] = {}
        self.body.addWidget(self.plot, 1)
        self.count = QLabel(tr("No event yet"))
        self.count.setWordWrap(True)
        self.body.addWidget(self.count)

    def collect(self, view: View) -> None:
        """Take what is complete."""
        self.epochs.update(view)

    def refresh(self, view: View) -> None:
        """Take what is complete and draw."""
        if self.history(view) is None:
            return
        averages = self.epochs.update(view)
        if averages is None or not averages.signal:
            return
        for name, average in sorted(averages.signal.items()):
            if name not in self._curves:
                self._curves[name] = self.plot.plot(pen=class_pen(self.theme, len(self._curves)), name=name)
            self._curves[name].setData(averages.times, average.mean[:, self.column()])  # type: ignore[attr-defined]
        counts = ", ".join(f"{name}: {average.count}" for name, average in sorted(averages.signal.items()))
        self.count.setText(
            tr("Epochs: {counts}. Left out: {rejected}").format(counts=counts, rejected=averages.rejected)
            + self.epochs.said()
        )

    def table(self) -> list[list[object]]:
        """Return the mean of the channel for each kind of event."""
        averages = self.epochs.averages
        if averages is None or not averages.signal:
            return []
        names = sorted(averages.signal)
        columns = [averages.times, *(averages.signal[name].mean[:, self.column()] for name in names)]
        return [["s", *names], *np.column_stack(columns).tolist()]


class ErdPanel(Panel):
    """Band power during the task relative to rest before the cue, a head a class, in percent."""

    period = 1.0
    collects = True

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.epochs = EpochFeed(tmin=-1.5, tmax=3.0, baseline=(-1.5, -0.25), band=(8.0, 30.0))
        self.heads: dict[str, HeadWidget] = {}
        self.count = QLabel(tr("No cue yet: the map grows with each trial"))
        self.count.setWordWrap(True)
        self.row = QHBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(self.row, 1)
        layout.addWidget(self.count)
        self._table: list[list[object]] = []

    def collect(self, view: View) -> None:
        """Take what is complete."""
        self.epochs.update(view)

    def refresh(self, view: View) -> None:
        """Take what is complete and draw."""
        averages = self.epochs.update(view)
        history = view.best
        if averages is None or history is None or not averages.power:
            return
        task = (averages.times >= 0.5) & (averages.times < 2.75)
        names = sorted(averages.power)[:3]
        rows: list[list[object]] = [["channel", *names]]
        values: dict[str, list[float]] = {}
        for name in names:
            if name not in self.heads:
                head = HeadWidget(self._theme)
                head.setAccessibleName(tr("Desynchronisation of {name}").format(name=name))
                self.heads[name] = head
                self.row.addWidget(head)
            head = self.heads[name]
            head.set_info(history.info)
            head.title = f"{name} ({averages.power[name].count})"
            change = np.nan_to_num(averages.change(name)[task].mean(axis=0))
            values[name] = change.tolist()
            if len(head.columns) >= 4:
                head.show_map(change[head.columns], low=-60, high=60, unit="%", diverging=True)
        rows += [[channel, *(values[n][i] for n in names)] for i, channel in enumerate(history.info.ch_names)]
        self._table = rows
        self.count.setText(
            tr("Blue: less power than at rest (8–30 Hz, 0.5–2.75 s after the cue). Left out: {rejected}").format(
                rejected=averages.rejected
            )
            + self.epochs.said()
        )

    def table(self) -> list[list[object]]:
        """Return the change of every channel and class in percent."""
        return self._table
