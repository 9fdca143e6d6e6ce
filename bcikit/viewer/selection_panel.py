"""The span between the cursors: its spectrum and its map, beside those of another span that was kept."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout

from bcikit.ui.head_widget import HeadWidget
from bcikit.ui.inputs import button, choice
from bcikit.ui.tables import fill_table, make_table
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.analysis import BANDS, band_powers, spectrum
from bcikit.viewer.panel import Panel, View
from bcikit.viewer.plot import legend, make_plot, pen
from bcikit.viewer.signal_panels import eeg_columns
from bcikit.viewer.still import AnyHistory

LONGEST_S = 600.0
"""Seconds of a span that are looked at; of a longer one the first."""


class SelectionPanel(Panel):
    """Spectrum, band powers and map of the span between the cursors; with another span kept, both and what changed."""

    period = 0.3

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.text = QLabel(tr("Press C for cursors: this panel is about the span between them"))
        self.text.setWordWrap(True)
        self.keep_button = button(tr("Keep this span to compare"), self._keep)
        self.forget_button = button(tr("Forget it"), self._forget)
        self.band = choice(tr("Band"), list(BANDS), lambda _: self._again(), start="alpha")
        self.plot = make_plot(theme, tr("Spectrum of the span"), bottom="Hz", left="dB (µV²/Hz)")
        legend(self.plot, theme)
        self._kept_curve = self.plot.plot(pen=pen(theme.dim), name=tr("kept span"))
        self._curve = self.plot.plot(pen=pen(theme.accent), name=tr("span A–B"))
        self.head = HeadWidget(theme)
        self.head.setAccessibleName(tr("Map of the span"))
        heads = [tr("Band"), tr("span A–B, µV²"), tr("kept span, µV²"), tr("change, dB")]
        self.powers = make_table(heads, tr("Band powers"))
        self.powers.verticalHeader().setDefaultSectionSize(22)
        row = QHBoxLayout()
        for control in (self.keep_button, self.forget_button, self.band):
            row.addWidget(control)
        row.addStretch(1)
        pictures = QHBoxLayout()
        pictures.addWidget(self.plot, 3)
        pictures.addWidget(self.head, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.text)
        layout.addLayout(row)
        layout.addLayout(pictures, 3)
        layout.addWidget(self.powers, 2)
        self._shown: tuple[AnyHistory, int, int, str] | None = None
        self._now: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._kept: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._history: AnyHistory | None = None
        self._rows: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Compute what is between the cursors, where they or the stream changed."""
        history, span = view.looked_at, view.span
        if history is None or span is None:
            return
        if history is not self._history:
            self._history, self._kept = history, None
        first, last = min(span), min(max(span), min(span) + round(LONGEST_S * history.rate))
        wanted = (history, first, last, self.band.currentText())
        if wanted == self._shown:
            return
        self._shown = wanted
        frequencies, density = spectrum(history.get(first, last), history.rate)
        if not frequencies.size:
            self._now = None
            self.text.setText(tr("The span between the cursors is too short"))
            return
        self._now = (frequencies, density)
        self.text.setText(
            tr("From {begin:.3f} s, {seconds:.3f} s long").format(
                begin=(first - history.start) / history.rate, seconds=(last - first) / history.rate
            )
        )
        self._draw(history)

    def _draw(self, history: AnyHistory) -> None:
        if self._now is None:
            return
        self._line(self._curve, self._now, history)
        if self._kept is None:
            self._kept_curve.setData([], [])
        else:
            self._line(self._kept_curve, self._kept, history)
        columns = eeg_columns(history.info)
        now = {name: values[columns] for name, values in band_powers(*self._now).items()}
        kept = {} if self._kept is None else {n: v[columns] for n, v in band_powers(*self._kept).items()}
        rows = []
        self._rows = [["band", "span uV2", "kept uV2", "change dB"]]
        for name, values in now.items():
            here = float(np.nanmedian(values))
            before = float(np.nanmedian(kept[name])) if name in kept else None
            change = None if before is None or before <= 0 or here <= 0 else 10 * float(np.log10(here / before))
            self._rows.append([name, here, "" if before is None else before, "" if change is None else change])
            words = ["" if before is None else f"{before:.3g}", "" if change is None else f"{change:+.1f}"]
            rows.append([name, f"{here:.3g}", *words])
        fill_table(self.powers, rows)
        self._map(history)

    def _line(self, curve: object, found: tuple[NDArray[np.float64], NDArray[np.float64]], history: AnyHistory) -> None:
        frequencies, density = found
        keep = frequencies <= min(100.0, history.rate / 2)
        with np.errstate(invalid="ignore"):
            middle = np.nanmedian(density[:, eeg_columns(history.info)], axis=1)
        curve.setData(frequencies[keep], 10 * np.log10(np.maximum(middle[keep], 1e-6)))  # type: ignore[attr-defined]

    def _map(self, history: AnyHistory) -> None:
        """Show the band over the head; with another span kept, how it changed."""
        self.head.set_info(history.info)
        columns, band = self.head.columns, self.band.currentText()
        assert self._now is not None
        powers = band_powers(*self._now).get(band)
        if powers is None or len(columns) < 4:
            return
        values = 10 * np.log10(np.maximum(powers[columns], 1e-6))
        diverging = False
        if self._kept is not None and (before := band_powers(*self._kept).get(band)) is not None:
            values, diverging = values - 10 * np.log10(np.maximum(before[columns], 1e-6)), True
        if not np.isfinite(values).any():
            return
        values = np.where(np.isfinite(values), values, np.nanmedian(values))
        low, high = np.percentile(values, [2, 98])
        if diverging:
            high = max(abs(low), abs(high), 1.0)
            low = -high
        self.head.show_map(
            np.clip(values, low, high), low=float(low), high=float(max(high, low + 1)), unit="dB", diverging=diverging
        )

    def _again(self) -> None:
        self._shown = None

    def _keep(self) -> None:
        self._kept = self._now
        self._again()

    def _forget(self) -> None:
        self._kept = None
        self._again()

    def table(self) -> list[list[object]]:
        """Return the band powers of both spans."""
        return self._rows
