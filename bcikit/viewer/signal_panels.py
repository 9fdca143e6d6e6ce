"""Panels about the signal: spectrum, spectrogram, band powers, head map."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout

from bcikit.signal import StreamInfo
from bcikit.ui.head_widget import HeadWidget
from bcikit.ui.headmap import colour_map
from bcikit.ui.inputs import choice
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.analysis import BANDS, band_powers, spectrum
from bcikit.viewer.panel import Panel, View
from bcikit.viewer.plot import legend, make_plot, pen
from bcikit.viewer.still import AnyHistory


def eeg_columns(info: StreamInfo) -> list[int]:
    """Return the EEG columns, all columns where there is none."""
    return info.indices(ch_type="eeg") or list(range(info.n_channels))


class ChannelPanel(Panel):
    """A panel about one channel of one stream, which is chosen on top.

    Parameters
    ----------
    theme : Theme
        Colours.
    raw : bool
        Look at the raw stream first; the pipeline's stream otherwise.
    """

    def __init__(self, theme: Theme, *, raw: bool = False) -> None:
        super().__init__()
        self.theme, self._raw = theme, raw
        self.channel = choice(tr("Channel"), [], self._chosen)
        self.source = QLabel()
        self.source.setStyleSheet(f"color: {theme.dim};")
        self.head = QHBoxLayout()
        label = QLabel(tr("Channel"))
        label.setBuddy(self.channel)
        self.head.addWidget(label)
        self.head.addWidget(self.channel)
        self.head.addWidget(self.source, 1)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(4, 4, 4, 4)
        self.body.setSpacing(2)
        self.body.addLayout(self.head)
        self._names: tuple[str, ...] = ()
        self._shown: AnyHistory | None = None

    def _chosen(self, _: str) -> None:
        """Do nothing by default: the next refresh shows the channel."""

    def history(self, view: View) -> AnyHistory | None:
        """Return the stream to look at, and offer its channels."""
        history = (view.raw or view.filtered) if self._raw else view.best
        if history is None:
            return None
        if history is not self._shown:
            self._shown = history
            self.source.setText(tr("of the raw signal") if history is view.raw else tr("of the pipeline signal"))
            self._chosen("")
        if history.info.ch_names != self._names:
            self._names = history.info.ch_names
            self.channel.clear()
            self.channel.addItems([self._names[c] for c in eeg_columns(history.info)])
            prefer = next((name for name in ("C3", "Cz", "Oz", "Pz") if name in self._names), "")
            if prefer:
                self.channel.setCurrentText(prefer)
        return history

    def column(self) -> int:
        """Return the column of the channel chosen."""
        name = self.channel.currentText()
        return self._names.index(name) if name in self._names else 0


class SpectrumPanel(ChannelPanel):
    """Power density of the newest 8 seconds: the chosen channel, and the middle of all."""

    period = 0.25

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, raw=True)
        self.plot = make_plot(theme, tr("Spectrum"), bottom="Hz", left="dB (µV²/Hz)")
        legend(self.plot, theme)
        self._all = self.plot.plot(pen=pen(theme.dim), name=tr("median of all"))
        self._one = self.plot.plot(pen=pen(theme.accent), name=tr("channel"))
        for index, (low, high) in enumerate(BANDS.values()):
            region = pg.LinearRegionItem(
                (low, high), movable=False, brush=pg.mkBrush(128, 128, 128, 14 + 14 * (index % 2))
            )
            for line in region.lines:
                line.setPen(pg.mkPen(None))
            self.plot.addItem(region)
        self.body.addWidget(self.plot, 1)
        self._table: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Compute and draw."""
        history = self.history(view)
        if history is None:
            return
        frequencies, density = spectrum(history.newest(8.0), history.rate)
        if frequencies.size == 0:
            # Nothing old stands where there are no samples.
            self._one.setData([], [])
            self._all.setData([], [])
            self._table = []
            return
        decibel = 10 * np.log10(np.maximum(density, 1e-6))
        keep = frequencies <= min(100.0, history.rate / 2)
        known = [c for c in eeg_columns(history.info) if np.isfinite(decibel[0, c])]
        middle = np.median(decibel[:, known], axis=1) if known else np.full(frequencies.size, np.nan)
        self._one.setData(frequencies[keep], decibel[keep, self.column()])
        self._all.setData(frequencies[keep], middle[keep])
        self._table = [["Hz", *history.info.ch_names], *np.column_stack([frequencies, density]).tolist()]

    def table(self) -> list[list[object]]:
        """Return the density of every channel."""
        return self._table


class SpectrogramPanel(ChannelPanel):
    """Power of one channel over the last minute."""

    period = 0.25
    SECONDS = 60.0
    STEP = 0.25
    TOP_HZ = 45.0

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, raw=True)
        self.plot = make_plot(theme, tr("Spectrogram"), bottom=tr("seconds"), left="Hz")
        self._image = pg.ImageItem(axisOrder="row-major")
        self.plot.addItem(self._image)
        self.body.addWidget(self.plot, 1)
        self._columns = round(self.SECONDS / self.STEP)
        self._done = 0
        self._now, self._step = 0, self.STEP
        self._grid = np.empty((0, 0))
        self._frequencies = np.empty(0)

    def _chosen(self, _: str) -> None:
        self._done = 0
        self._grid = np.empty((0, 0))

    def refresh(self, view: View) -> None:
        """Compute the new columns and draw."""
        history = self.history(view)
        if history is None:
            return
        window, step = round(1.0 * history.rate), max(1, round(self.STEP * history.rate))
        if history.now < self._now or history.now > self._now + self._columns * step:
            # Gone back in a recording, or far ahead: none of the columns is in this minute.
            self._done, self._grid = 0, np.empty((0, 0))
        self._now = history.now
        if self._done == 0 or self._done < history.start + window:
            self._done = max(history.start + window, history.now - self._columns * step)
        while self._done <= history.now:
            part = history.get(self._done - window, self._done)[:, self.column()][:, None]
            frequencies, density = spectrum(part, history.rate, seconds=1.0)
            self._add(frequencies, density[:, 0])
            self._done += step
        self._step = step / history.rate
        self._draw()

    def _add(
        self,
        frequencies: "np.ndarray[tuple[int], np.dtype[np.float64]]",
        density: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    ) -> None:
        keep = frequencies <= self.TOP_HZ
        whole = frequencies.size > 1 and bool(keep.any())
        if whole and not self._grid.size:
            self._grid = np.full((int(keep.sum()), self._columns), np.nan)
            self._frequencies = frequencies[keep]
        if not self._grid.size:
            return
        self._grid[:, :-1] = self._grid[:, 1:]
        # A window with lost samples has lines of its own: its column stays empty, and the others in their places.
        whole = whole and np.array_equal(frequencies[keep], self._frequencies)
        self._grid[:, -1] = 10 * np.log10(np.maximum(density[keep], 1e-6)) if whole else np.nan

    def _draw(self) -> None:
        if not np.isfinite(self._grid).any():
            return
        low, high = np.nanpercentile(self._grid, [5, 99.5])
        pixels = colour_map(self._grid.astype(np.float32), float(low), float(high), diverging=False)
        rgba = np.stack([(pixels >> shift) & 0xFF for shift in (16, 8, 0, 24)], axis=-1).astype(np.uint8)
        self._image.setImage(rgba, autoLevels=False)
        # A row is as high as its line is wide; slow streams reach less far up, and their columns are further apart.
        line = float(self._frequencies[1]) if self._frequencies.size > 1 else 1.0
        seconds = self._columns * self._step
        self._image.setRect(QRectF(-seconds, -line / 2, seconds, line * len(self._frequencies)))

    def table(self) -> list[list[object]]:
        """Return decibels, a row a time."""
        seconds = self._step * np.arange(1 - self._grid.shape[1], 1) if self._grid.size else np.empty(0)
        return [["s", *(f"{f:g} Hz" for f in self._frequencies)], *np.column_stack([seconds, self._grid.T]).tolist()]


class BandPanel(ChannelPanel):
    """Power of one channel in the classical bands, in microvolts squared."""

    period = 0.25

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, raw=True)
        self.plot = make_plot(theme, tr("Band powers"), left="µV²")
        self._bars = pg.BarGraphItem(
            x=np.arange(len(BANDS)), height=np.zeros(len(BANDS)), width=0.7, brush=theme.accent
        )
        self.plot.addItem(self._bars)
        ticks = [(i, f"{name}\n{low:g}–{high:g} Hz") for i, (name, (low, high)) in enumerate(BANDS.items())]
        self.plot.getPlotItem().getAxis("bottom").setTicks([ticks])
        self.plot.getPlotItem().getAxis("bottom").setHeight(36)
        self.body.addWidget(self.plot, 1)
        self._table: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Compute and draw."""
        history = self.history(view)
        if history is None:
            return
        powers = band_powers(*spectrum(history.newest(4.0), history.rate))
        if not powers:
            self._bars.setOpts(height=[0.0] * len(BANDS))
            self.plot.setAccessibleDescription("")
            self._table = []
            return
        heights = [float(powers[name][self.column()]) if name in powers else 0.0 for name in BANDS]
        heights = [height if np.isfinite(height) else 0.0 for height in heights]
        self._bars.setOpts(height=heights)
        self.plot.setAccessibleDescription(
            ", ".join(f"{name} {value:.1f} µV²" for name, value in zip(BANDS, heights, strict=True))
        )
        self._table = [["band", *history.info.ch_names], *([name, *powers[name].tolist()] for name in powers)]

    def table(self) -> list[list[object]]:
        """Return the powers of every channel."""
        return self._table


class HeadMapPanel(Panel):
    """Band power over the head, in decibels of a microvolt squared."""

    period = 0.3

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.head = HeadWidget(theme)
        self.head.setAccessibleName(tr("Head map"))
        self.band: QComboBox = choice(tr("Band"), list(BANDS), lambda _: None, start="alpha")
        label = QLabel(tr("Band"))
        label.setBuddy(self.band)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.band)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(row)
        layout.addWidget(self.head, 1)
        self._table: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Compute and draw."""
        history = view.raw or view.filtered
        if history is None:
            return
        self.head.set_info(history.info)
        columns = self.head.columns
        powers = band_powers(*spectrum(history.newest(4.0), history.rate)).get(self.band.currentText())
        if powers is None or len(columns) < 4:
            self.head.forget_map()
            self._table = []
            return
        decibel = 10 * np.log10(np.maximum(powers[columns], 1e-6))
        bad = {name for name, quality in view.status.quality.items() if quality.level == "BAD"}
        known = [i for i in range(len(columns)) if np.isfinite(decibel[i])]
        if not known:
            self.head.forget_map()
            self._table = []
            return
        good = [i for i in known if history.info.ch_names[columns[i]] not in bad]
        # A bad electrode must not set the scale; it is drawn at its end. One without a value takes the middle.
        low, high = np.percentile(decibel[good or known], [2, 98])
        decibel = np.where(np.isfinite(decibel), decibel, np.median(decibel[known]))
        self.head.show_map(
            np.clip(decibel, low, high), low=float(low), high=float(max(high, low + 1)), unit="dB", diverging=False
        )
        names = [history.info.ch_names[c] for c in columns]
        self._table = [
            ["channel", f"{self.band.currentText()} dB"],
            *map(list, zip(names, decibel.tolist(), strict=True)),
        ]

    def table(self) -> list[list[object]]:
        """Return the value of every electrode."""
        return self._table
