"""The traces with their controls: which signal, which filter of the picture, window, scale, channels, freeze."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollBar,
    QVBoxLayout,
    QWidget,
)

from bcikit.recording.lateness import Lateness, is_planned
from bcikit.signal import BciError, Chunk, Event, StreamInfo
from bcikit.ui.inputs import button, choice
from bcikit.ui.theme import LEVELS, Theme
from bcikit.ui.words import tr
from bcikit.viewer.annotations import Annotation
from bcikit.viewer.background import Block
from bcikit.viewer.canvas import Mark, TraceCanvas
from bcikit.viewer.display import DisplayFilter, bands_for, notches_for
from bcikit.viewer.groups import channel_groups, unit_of
from bcikit.viewer.gutter import Gutter, TimeAxis
from bcikit.viewer.history import History
from bcikit.viewer.montages import AS_RECORDED, Montage, make_montage, names_of, read_montage
from bcikit.viewer.overview import Overview
from bcikit.viewer.still import AnyHistory, StillHistory

WINDOWS = (0.5, 1, 2, 5, 10, 20, 30, 60)
LONG_WINDOWS = (120, 300, 900, 1800, 3600, 7200)
SCALES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 200000)


def mark_of(event: Event, text: str, late: Lateness | None) -> tuple[float, str]:
    """Return where the marker of an event stands, in s, and its text: where a screen showed it, else "planned"."""
    if late is None:
        return event.time, text
    shown = late.of(event)
    if shown is not None:
        return event.time + shown, text
    return event.time, tr("{event} (planned)").format(event=text) if is_planned(event) else text


class TracePanel(QWidget):
    """Traces of one stream and everything to look at them with.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    theme : Theme
        Colours.
    kind : str
        "raw" (as the device sent it), "pipeline" (as the decoder sees it) or "stream" (another program's).
    """

    annotated = Signal(float, float, str)  # time, seconds, channel
    bad_changed = Signal()
    readout = Signal(str)

    def __init__(
        self, info: StreamInfo, theme: Theme, *, kind: str = "stream", history: AnyHistory | None = None
    ) -> None:
        super().__init__()
        self.info, self._theme, self.kind = info, theme, kind
        self.levels: dict[str, str] = {}
        self.annotate = False
        self.bad: set[str] = set(getattr(info, "bads", ()))
        self._montages: dict[str, Path | None] = dict.fromkeys(names_of(info))
        self.canvas = TraceCanvas(info, theme, history or History(info))
        self.gutter = Gutter(self.canvas, theme, self._glyph)
        self.axis = TimeAxis(self.canvas, theme)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.canvas.setAccessibleName(tr("Traces of {stream}").format(stream=info.name))
        self.canvas.setAccessibleDescription(
            tr("Plus and minus change the scale, brackets the window, F freezes, arrows look back")
        )
        self.canvas.clicked.connect(self._clicked)
        self.canvas.view_changed.connect(self._view_changed)
        self.gutter.clicked.connect(self._name_clicked)
        self.canvas.spanned.connect(self._spanned)
        self._groups = channel_groups(info)
        self.overview: Overview | None = None
        if isinstance(self.canvas.history, StillHistory):
            self.overview = Overview(self.canvas.history, theme)
            self.overview.wanted.connect(self._go_to_middle)
        self._build()
        self._show_source()
        if self.overview is not None:
            self.freeze_button.setVisible(False)
            self.sweep_button.setVisible(False)
            self.freeze_button.click()
            self.look_at(self.canvas.history.time_at(0))

    def _build(self) -> None:
        self.source_label = QLabel()
        self.source_label.setTextFormat(Qt.TextFormat.PlainText)
        self._bands = bands_for(self.info.sfreq)
        bands = [tr("off") if name == "off" else name for name in self._bands]
        self.band = choice(tr("Display filter"), bands, self._filter_changed)
        self._notches = notches_for(self.info.sfreq)
        notches = [tr("off") if freq is None else f"{freq:g} Hz" for freq in self._notches]
        self.notch = choice(tr("Display notch"), notches, self._filter_changed)
        self._windows = WINDOWS if self.overview is None else (*WINDOWS, *LONG_WINDOWS)
        windows = [f"{seconds:g} s" for seconds in self._windows]
        self.window_choice = choice(tr("Window"), windows, self._window_changed, start="10 s")
        self.scale_choice = choice(
            tr("Scale"), [f"{value} µV" for value in SCALES], self._scale_changed, start="100 µV"
        )
        kinds = [tr("all types"), *dict.fromkeys(self.info.ch_types)]
        self.type_choice = choice(tr("Scale of"), kinds, self._type_chosen)
        self.group_choice = choice(tr("Channels"), list(self._groups), self._group_changed)
        known = {
            "as recorded": tr("as recorded"),
            "average": tr("average"),
            "linked ears": tr("linked ears"),
            "longitudinal bipolar": tr("longitudinal bipolar"),
            "transverse bipolar": tr("transverse bipolar"),
            "Laplacian": tr("Laplacian"),
        }
        words = {name: known[name] for name in self._montages}
        self.montage_choice = choice(tr("Montage"), [*words.values(), tr("from a file ...")], self._montage_chosen)
        self.sweep_button = button(tr("Sweep"), self._sweep_changed, checkable=True, hint=tr("Sweep instead of scroll"))
        self.freeze_button = button(tr("Freeze"), self._freeze_changed, checkable=True, hint="F")
        self.cursor_button = button(tr("Cursors"), self._cursors_changed, checkable=True, hint="C")
        self.annotate_button = button(tr("Annotate"), self._annotate_changed, checkable=True, hint="A")
        self.back_bar = QScrollBar(Qt.Orientation.Horizontal)
        self.back_bar.setAccessibleName(tr("Look back"))
        self.back_bar.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.back_bar.setVisible(False)
        self.back_bar.valueChanged.connect(self._scrolled)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.source_label, 1)
        for pressed in (self.sweep_button, self.freeze_button, self.cursor_button, self.annotate_button):
            first.addWidget(pressed)
        types = [self.type_choice] if len(kinds) > 2 else []
        for box in (
            self.band,
            self.notch,
            self.window_choice,
            self.scale_choice,
            *types,
            self.montage_choice,
            self.group_choice,
        ):
            label = QLabel(box.accessibleName())
            label.setStyleSheet(f"color: {self._theme.dim};")
            label.setBuddy(box)
            second.addWidget(label)
            second.addWidget(box)
        second.addStretch(1)
        grid = QGridLayout()
        grid.setSpacing(0)
        grid.addWidget(self.gutter, 0, 0)
        grid.addWidget(self.canvas, 0, 1)
        grid.addWidget(self.axis, 1, 0, 1, 2)
        grid.addWidget(self.back_bar, 2, 1)
        if self.overview is not None:
            grid.addWidget(self.overview, 3, 0, 1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addLayout(grid, 1)

    # -- samples ---------------------------------------------------------------------------------------------------

    def append(self, chunk: Chunk) -> None:
        """Take new samples."""
        self.canvas.append(chunk)
        self._move_scroll()

    def set_levels(self, levels: dict[str, str]) -> None:
        """Take the quality of the electrodes: bad ones are dimmed, all are labelled."""
        if levels == self.levels:
            return
        self.levels = dict(levels)
        self._dim()
        self.gutter.update()

    def _dim(self) -> None:
        """Draw dim what is bad by the rules or by hand, and every trace that it is part of."""
        names = self.info.ch_names
        bad = {i for i, name in enumerate(names) if self.levels.get(name) == "BAD" or name in self.bad}
        dimmed = frozenset(row for row, parts in enumerate(self.canvas.montage.sources) if bad & set(parts))
        if dimmed != self.canvas.dimmed:
            self.canvas.dimmed = dimmed
            self.canvas.redraw()

    def _name_clicked(self, trace: int) -> None:
        """Mark the channel of a name bad, or take it back; of a difference, its first channel."""
        if trace >= 0:
            self.toggle_bad(self.info.ch_names[self.canvas.montage.sources[trace][0]])

    def toggle_bad(self, name: str) -> None:
        """Mark a channel bad by hand, or take it back; no reference and no Laplacian uses a bad one."""
        self.bad ^= {name}
        said = tr("Bad by hand: {names}").format(names=", ".join(sorted(self.bad)) or tr("none"))
        if self.canvas.montage.name in ("average", "linked ears", "Laplacian"):
            try:
                made = make_montage(self.info, self.canvas.montage.name, bad=self.bad)
            except BciError as error:
                # Its reference is bad now: what is left is the signal as it was recorded, and that is said.
                made, said = make_montage(self.info, AS_RECORDED), f"{said}. {error}"
            self.use_montage(made)
        self._dim()
        self.gutter.update()
        self.bad_changed.emit()
        self.readout.emit(said)

    def _montage_chosen(self, _: str) -> None:
        names = list(self._montages)
        at = self.montage_choice.currentIndex()
        try:
            if at < len(names):
                path = self._montages[names[at]]
                made = (
                    make_montage(self.info, names[at], bad=self.bad) if path is None else read_montage(self.info, path)
                )
            else:
                chosen, _ = QFileDialog.getOpenFileName(self, tr("from a file ..."), "", "TOML (*.toml)")
                if not chosen:
                    self._show_montage()
                    return
                made = self.load_montage(chosen)
        except BciError as error:
            self.readout.emit(str(error))
            self._show_montage()
            return
        self.use_montage(made)

    def load_montage(self, path: str | Path) -> Montage:
        """Return the montage of a file, and offer it by its name from now on."""
        made = read_montage(self.info, path)
        self._offer(made.name, Path(path))
        return made

    def _offer(self, name: str, path: Path | None) -> None:
        if name not in self._montages:
            self._montages[name] = path
            self.montage_choice.blockSignals(True)
            self.montage_choice.insertItem(len(self._montages) - 1, name)
            self.montage_choice.blockSignals(False)

    def use_montage(self, montage: Montage) -> None:
        """Draw another montage from now on."""
        canvas = self.canvas
        canvas.filter = DisplayFilter(self.info, band=canvas.filter.band, notch=canvas.filter.notch, montage=montage)
        canvas.forget_offset()
        canvas.dimmed = frozenset()
        self._settle_filter()
        self._group_changed(self.group_choice.currentText())
        self._dim()
        self._show_montage()
        self._show_source()

    def take_over(self, old: "TracePanel") -> None:
        """Go on where a panel on the same samples stops: bad channels, montage, filter, scales, place."""
        self.bad = set(old.bad)
        self.canvas.lane_uv = dict(old.canvas.lane_uv)
        # By place: the words may be of another language.
        for here, there in (
            (self.band, old.band),
            (self.notch, old.notch),
            (self.window_choice, old.window_choice),
            (self.type_choice, old.type_choice),
            (self.group_choice, old.group_choice),
        ):
            here.setCurrentIndex(there.currentIndex())
        self._show_scale()
        for name, path in old._montages.items():
            self._offer(name, path)
        self.use_montage(old.canvas.montage)
        for pressed, was in (
            (self.sweep_button, old.sweep_button),
            (self.freeze_button, old.freeze_button),
            (self.cursor_button, old.cursor_button),
            (self.annotate_button, old.annotate_button),
        ):
            if pressed.isChecked() != was.isChecked():
                pressed.click()
        self.canvas.cursors = list(old.canvas.cursors)
        if self.freeze_button.isChecked():
            self.back_bar.setValue(old.back_bar.value())

    def _show_montage(self) -> None:
        names = list(self._montages)
        self.montage_choice.blockSignals(True)
        self.montage_choice.setCurrentIndex(names.index(self.canvas.montage.name))
        self.montage_choice.blockSignals(False)

    def clear_marks(self) -> None:
        """Take away the markers of the session; those made in this window stay."""
        self.canvas.marks = [mark for mark in self.canvas.marks if mark.own]

    def add_mark(self, time: float, text: str, *, duration: float = 0.0, key: str = "") -> None:
        """Show a marker at a time on the stream's clock; by its key it may be moved."""
        history = self.canvas.history
        length = round(duration * history.rate)
        self.canvas.marks.append(Mark(history.sample_at(time), text, self._theme.accent, length=length, key=key))
        if self.overview is None:
            del self.canvas.marks[:-2000]
        else:
            self.overview.show_marks(self.canvas.marks)
        self.canvas.update()

    def move_mark(self, key: str, time: float, text: str) -> None:
        """Move the newest marker of a key to another time and give it another text."""
        marks = self.canvas.marks
        for at in range(len(marks) - 1, -1, -1):
            if marks[at].key == key and not marks[at].own:
                marks[at] = replace(marks[at], sample=self.canvas.history.sample_at(time), text=text)
                self.canvas.update()
                return

    def show_annotations(self, items: Iterable[Annotation]) -> None:
        """Show these annotations, and no others."""
        history = self.canvas.history
        own = [
            Mark(
                history.sample_at(item.time),
                item.label,
                self._theme.warn,
                own=True,
                length=round(item.duration * history.rate),
                key=item.key,
            )
            for item in items
        ]
        self.canvas.marks = [mark for mark in self.canvas.marks if not mark.own] + own
        if self.overview is not None:
            self.overview.show_marks(self.canvas.marks)
        self.canvas.update()

    # -- controls --------------------------------------------------------------------------------------------------

    def _show_source(self) -> None:
        names = {
            "raw": tr("RAW: as the device sends it"),
            "pipeline": tr("PIPELINE: as the decoder sees it"),
            "stream": tr("STREAM: as it arrives"),
        }
        text = names[self.kind]
        shown = self.canvas.filter
        if shown.active:
            parts = [shown.band] if shown.band != "off" else []
            parts += [tr("notch {freq} Hz").format(freq=f"{shown.notch:g}")] if shown.notch else []
            text += "  +  " + tr("DISPLAY filter {what} (this picture only)").format(what=", ".join(parts))
        colour = self._theme.warn if shown.active else self._theme.accent
        self.source_label.setText(text)
        self.source_label.setToolTip(text)
        self.source_label.setStyleSheet(f"color: {colour}; font-weight: 600;")

    def _filter_changed(self, _: str) -> None:
        notch = self._notches[self.notch.currentIndex()]
        band = self._bands[self.band.currentIndex()]
        self.canvas.filter = DisplayFilter(self.info, band=band, notch=notch, montage=self.canvas.montage)
        self._settle_filter()
        self._show_source()
        self.canvas.redraw()

    def _settle_filter(self) -> None:
        history = self.canvas.history
        begin = history.end - round(2.0 * history.rate)
        self.canvas.filter.settle(history.get(begin, history.end), max(begin, history.start))

    def _window_changed(self, text: str) -> None:
        middle = (self.canvas.frozen_end or 0) - self.canvas.window_samples // 2
        self.canvas.seconds = float(text.split()[0])
        self.canvas.redraw()
        self._move_scroll()
        if self.overview is not None:
            # What one looked at stays in the middle.
            self._go_to_middle(middle)
            self._scrolled(self.back_bar.value())

    def _type_chosen(self, _: str) -> None:
        self._show_scale()

    def _scale_types(self) -> list[str]:
        kinds = list(self.canvas.lane_uv)
        return kinds if self.type_choice.currentIndex() == 0 else [self.type_choice.currentText()]

    def _show_scale(self) -> None:
        value = self.canvas.lane_uv[self._scale_types()[0]]
        self.scale_choice.blockSignals(True)
        self.scale_choice.setCurrentText(f"{value:g} µV")
        self.scale_choice.blockSignals(False)

    def _scale_changed(self, text: str) -> None:
        for kind in self._scale_types():
            self.canvas.lane_uv[kind] = float(text.split()[0])
        self.canvas.redraw()

    def _group_changed(self, text: str) -> None:
        group, sources = set(self._groups[text]), self.canvas.montage.sources
        self.canvas.shown = [row for row, parts in enumerate(sources) if group & set(parts)]
        self.canvas.redraw()

    def _sweep_changed(self) -> None:
        self.canvas.sweep = self.sweep_button.isChecked()
        self.canvas.redraw()

    def step_window(self, by: int) -> None:
        """Show a longer (1) or shorter (-1) window."""
        at = self.window_choice.currentIndex() + by
        self.window_choice.setCurrentIndex(min(len(self._windows) - 1, max(0, at)))

    def step_scale(self, by: int) -> None:
        """Draw the traces smaller (1) or larger (-1)."""
        at = self.scale_choice.currentIndex() + by
        self.scale_choice.setCurrentIndex(min(len(SCALES) - 1, max(0, at)))

    def toggle(self, what: str) -> None:
        """Press "freeze", "cursors", "annotate" or "sweep"."""
        buttons: dict[str, QPushButton] = {
            "freeze": self.freeze_button,
            "cursors": self.cursor_button,
            "annotate": self.annotate_button,
            "sweep": self.sweep_button,
        }
        buttons[what].click()

    def _freeze_changed(self) -> None:
        frozen = self.freeze_button.isChecked()
        self.back_bar.setVisible(frozen)
        self.canvas.freeze(self.canvas.history.end if frozen else None)
        self._move_scroll()
        self.back_bar.setValue(self.back_bar.maximum())

    def _move_scroll(self) -> None:
        if self.back_bar.isHidden():
            return
        history, window = self.canvas.history, self.canvas.window_samples
        low = min(history.end, history.start + (window if self.overview is not None else window // 10))
        # Where the oldest samples go, the bar moves what is shown along; that is a change like any other.
        self.back_bar.setRange(low, history.end)
        self.back_bar.setPageStep(window)
        self.back_bar.setSingleStep(max(1, window // 10))

    def _scrolled(self, end: int) -> None:
        if self.freeze_button.isChecked():
            self.canvas.freeze(end)
        if self.overview is not None:
            self.overview.show_view(end - self.canvas.window_samples, end)
            if isinstance(self.canvas.history, StillHistory):
                self.canvas.history.now = min(end, self.canvas.history.end)
        self.axis.update()

    def _go_to_middle(self, sample: int) -> None:
        self.back_bar.setValue(sample + self.canvas.window_samples // 2)

    def look_at(self, time: float) -> None:
        """Bring a time into view; freezes first."""
        if not self.freeze_button.isChecked():
            self.freeze_button.click()
        sample = self.canvas.history.sample_at(time)
        self.back_bar.setValue(sample + self.canvas.window_samples // 2)

    def jump(self, by: int, among: Iterable[tuple[int, str]] | None = None) -> None:
        """Bring the next (1) or the last (-1) marker into the middle; `among` are samples and texts of other places."""
        canvas = self.canvas
        wanted = [(mark.sample, mark.text) for mark in canvas.marks] if among is None else list(among)
        middle = (canvas.frozen_end or canvas.history.end) - canvas.window_samples // 2
        # What is in the middle already is not where one wants to go, and of a live stream what is gone cannot be shown.
        places = sorted({place for place, _ in wanted if place >= canvas.history.start})
        beyond = [place for place in places if (place > middle + 1 if by > 0 else place < middle - 1)]
        if not beyond:
            self.readout.emit(tr("No further marker that way"))
            return
        target = beyond[0] if by > 0 else beyond[-1]
        if not self.freeze_button.isChecked():
            self.freeze_button.click()
        self.back_bar.setValue(target + canvas.window_samples // 2)
        texts = [text for place, text in wanted if place == target]
        self.readout.emit(f"{', '.join(texts)}: {canvas.history.time_at(target):.3f} s")

    def look_back(self, pages: float) -> None:
        """Go back (negative) or forth by a share of the window; freezes first."""
        if not self.freeze_button.isChecked():
            self.freeze_button.click()
        self.back_bar.setValue(self.back_bar.value() + round(pages * self.canvas.window_samples))

    def _cursors_changed(self) -> None:
        canvas = self.canvas
        if self.cursor_button.isChecked():
            end = canvas.frozen_end or canvas.history.end
            canvas.cursors = [end - round(canvas.window_samples * share) for share in (0.6, 0.4)]
        else:
            canvas.cursors = []
            self.readout.emit("")
        canvas.update()
        self._view_changed()

    def move_cursor(self, number: int, by: int) -> None:
        """Move cursor 0 (A) or 1 (B) by samples."""
        if self.canvas.cursors:
            self.canvas.cursors[number] += by
            self.canvas.update()
            self._view_changed()

    def _annotate_changed(self) -> None:
        self.annotate = self.canvas.spans = self.annotate_button.isChecked()
        shape = Qt.CursorShape.CrossCursor if self.annotate else Qt.CursorShape.ArrowCursor
        self.canvas.setCursor(shape)

    def annotate_now(self) -> None:
        """Annotate the newest sample in view, as a click on it would."""
        end = self.canvas.frozen_end or self.canvas.history.end
        if self.overview is not None:
            # Of a recording that is gone through, the middle of the picture is what one looks at.
            end -= self.canvas.window_samples // 2
        self.annotated.emit(self.canvas.history.time_at(max(0, end - 1)), 0.0, "")

    def _spanned(self, first: int, last: int, trace: int) -> None:
        history = self.canvas.history
        name = self.info.ch_names[self.canvas.montage.sources[trace][0]] if trace >= 0 else ""
        self.annotated.emit(history.time_at(first), max(0, last - first) / history.rate, name)

    def _clicked(self, sample: int, channel: int) -> None:
        name = self.canvas.montage.labels[channel] if channel >= 0 else ""
        if channel >= 0:
            value = self.value_at(sample, channel)
            if value is not None:
                text = tr("{channel}: {value} at sample {sample}")
                self.readout.emit(
                    text.format(channel=name, value=f"{value:.2f} {self._unit(channel)}".strip(), sample=sample)
                )

    def _unit(self, trace: int) -> str:
        return unit_of(self.info, self.canvas.montage.types[trace])

    def table(self) -> list[list[object]]:
        """Return the stored samples in view of the channels shown, without any filter of the picture."""
        canvas, history = self.canvas, self.canvas.history
        first, end = self._in_view()
        data = canvas.montage.apply(history.get(first, end))[:, canvas.shown]
        head = ["sample", "time s", *(f"{canvas.montage.labels[c]} {self._unit(c)}".strip() for c in canvas.shown)]
        pairs = zip(history.times(first, end).tolist(), data.tolist(), strict=True)
        return [list(head), *([first + n, time, *row] for n, (time, row) in enumerate(pairs))]

    def _in_view(self) -> tuple[int, int]:
        """Return the first of the samples in view that are kept, and the index after the last one."""
        canvas, history = self.canvas, self.canvas.history
        end = canvas.frozen_end or history.end
        return max(history.start, end - canvas.window_samples), min(end, history.end)

    def samples(self) -> tuple[list[str], int, Block]:
        """Return names, number of rows, and what gives rows, of the stored samples in view."""
        canvas, history = self.canvas, self.canvas.history
        first, end = self._in_view()
        data, times = history.get(first, end), history.times(first, end)
        if self.overview is None:
            # A recording stays as it is; of a stream, what is in view now is kept aside.
            data, times = data.copy(), times.copy()
        shown, montage = list(canvas.shown), canvas.montage

        def rows(start: int, stop: int) -> NDArray[np.float64]:
            part = montage.apply(data[start:stop])[:, shown]
            number = np.arange(first + start, first + start + part.shape[0])
            return np.column_stack((number, times[start:stop], part))

        names = ["sample", "time s", *(f"{montage.labels[c]} {self._unit(c)}".strip() for c in shown)]
        return names, int(data.shape[0]), rows

    def value_at(self, sample: int, channel: int) -> float | None:
        """Return the stored sample, without any filter of the picture; None if it is not kept."""
        part = self.canvas.history.get(sample, sample + 1)
        return float(self.canvas.montage.apply(part)[0, channel]) if part.shape[0] else None

    def _view_changed(self) -> None:
        self.axis.update()
        self.gutter.update()
        if len(self.canvas.cursors) != 2 or not self.canvas.shown:
            return
        a, b = self.canvas.cursors
        seconds = (b - a) / self.canvas.history.rate
        frequency = f"{1 / abs(seconds):.2f} Hz" if seconds else "–"
        channel = self.canvas.shown[0]
        values = [self.value_at(sample, channel) for sample in (a, b)]
        text = f"A→B {seconds * 1e3:.1f} ms ({frequency})"
        if values[0] is not None and values[1] is not None:
            name, unit = self.canvas.montage.labels[channel], self._unit(channel)
            text += f"   {name}: A {values[0]:.2f}, B {values[1]:.2f}, Δ {values[1] - values[0]:.2f} {unit}".rstrip()
        self.readout.emit(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows: look back and forth; with cursors, move cursor A, with Shift cursor B."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        elif self.canvas.cursors:
            second = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.move_cursor(int(second), step * max(1, self.canvas.window_samples // 1000))
        else:
            self.look_back(0.1 * step)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Wheel: scale; with Ctrl: window."""
        by = 1 if event.angleDelta().y() < 0 else -1
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.step_window(by)
        else:
            self.step_scale(by)
        event.accept()

    def _glyph(self, trace: int) -> tuple[str, str]:
        """Return shape and level of a trace: of the worst channel that it is about."""
        names = [self.info.ch_names[channel] for channel in self.canvas.montage.sources[trace]]
        if not self.bad.isdisjoint(names):
            return "✕", "BAD"
        levels = {self.levels.get(name, "") for name in names}
        for level in ("BAD", "WARN"):
            if level in levels:
                return LEVELS[level][0], level
        return "", ""
