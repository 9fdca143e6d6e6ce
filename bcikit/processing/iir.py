"""Recursive filters: band-pass, high-pass, low-pass, notch and comb. In a Pipeline they merge into one cascade."""

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.cascade import GAP_POLICIES, Cascade, mean_delay
from bcikit.processing.step import SIGNAL_TYPES, Step
from bcikit.signal import ArgumentError, Chunk, StreamInfo, check_choice, check_int, check_range


@dataclass(kw_only=True, eq=False)
class IirStep(Step):
    """What all recursive filters share.

    Parameters
    ----------
    gap : str
        "reset": after a gap the filter starts again from the steady state of the first sample. "bridge": it runs over
        a straight line if the gap is no longer than `longest_bridge`, and starts again if it is.
    longest_bridge : float
        Seconds.
    types : tuple of str
        Channel types to filter, such as ``("emg",)``; all voltages (`SIGNAL_TYPES`) if left out. Others pass unchanged.

    Notes
    -----
    Works on the voltage channels of a stream; triggers, accelerometers and the like pass unchanged. The rules for bad
    samples are those of `bcikit.processing.cascade.Cascade`.
    """

    gap: str = "reset"
    longest_bridge: float = 0.2
    types: tuple[str, ...] = ()
    _runner: Cascade | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        check_choice("gap", self.gap, GAP_POLICIES)
        check_range("longest_bridge", self.longest_bridge, low=0.0, high=10.0, unit="s")
        given: object = self.types
        if isinstance(given, str):
            raise ArgumentError(f'types of {self.name} is {given!r}; it must be a list, such as ["emg"].')
        self.types = tuple(check_choice(f"type of {self.name}", kind, sorted(SIGNAL_TYPES)) for kind in self.types)

    @abstractmethod
    def sections(self, info: StreamInfo) -> NDArray[np.float64]:
        """Return the second-order sections for a stream, shape (n_sections, 6).

        Raises
        ------
        ArgumentError
            If a frequency does not fit the sampling rate.
        """

    def prepare(self, info: StreamInfo) -> NDArray[np.float64]:
        """Design the filter, set `delay` and `settling`, and return the sections."""
        from bcikit.processing.cascade import settling_samples

        if info.sfreq <= 0:
            raise ArgumentError(f"{self.name} needs a stream with a fixed sampling rate; {info.name!r} has none.")
        if self.types and not set(self.types) & set(info.ch_types):
            raise ArgumentError(
                f"{self.name} is for channels of type {', '.join(self.types)}; {info.name!r} has none of them, only "
                f"{', '.join(sorted(set(info.ch_types)))}."
            )
        sos = self.sections(info)
        self.delay = mean_delay(sos) / info.sfreq if len(sos) else 0.0
        self.settling = settling_samples(sos) / info.sfreq if len(sos) else 0.0
        return sos

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Design the filter and return the description with the delay added."""
        self._runner = make_cascade([self], info, self.prepare(info))
        return info.replace(delay=info.delay + self.delay)

    def process(self, chunk: Chunk) -> Chunk:
        """Return the filtered chunk."""
        if self._runner is None:
            raise ArgumentError(f"{self.name} is not configured; call configure(info) first.")
        return self._runner.process(chunk)

    def reset(self) -> None:
        """Forget the past."""
        if self._runner is not None:
            self._runner.reset()


def make_cascade(steps: list[IirStep], info: StreamInfo, sos: NDArray[np.float64], *, engine: str = "auto") -> Cascade:
    """Return the runner of one or several filters in a row, all for the same types of channels."""
    wanted = steps[0].types or SIGNAL_TYPES
    columns = [index for index, kind in enumerate(info.ch_types) if kind in wanted]
    gap = "reset" if any(step.gap == "reset" for step in steps) else "bridge"
    longest = round(min(step.longest_bridge for step in steps) * info.sfreq)
    return Cascade(
        sos,
        info.n_channels,
        columns=None if len(columns) == info.n_channels else columns,
        gap=gap,
        longest_bridge=longest,
        engine=engine,
    )


def share_cascade(one: Step, other: Step) -> bool:
    """Return whether two steps in a row are filters of the same channels, which run as one cascade."""
    return isinstance(one, IirStep) and isinstance(other, IirStep) and set(one.types) == set(other.types)


def check_frequency(name: str, value: float, info: StreamInfo) -> float:
    """Return a frequency that lies between 0 Hz and half the sampling rate of a stream.

    Raises
    ------
    ArgumentError
        If it does not.
    """
    nyquist = info.sfreq / 2
    if not 0 < value < nyquist:
        raise ArgumentError(
            f"{name} is {value:g} Hz; {info.name!r} is sampled at {info.sfreq:g} Hz, so it must lie between 0 and "
            f"{nyquist:g} Hz (exclusive)."
        )
    return float(value)


@dataclass(eq=False)
class Bandpass(IirStep):
    """Butterworth band-pass.

    Parameters
    ----------
    l_freq, h_freq : float
        Edges in Hz, where the power is halved.
    order : int
        Order of each edge.
    """

    name: ClassVar[str] = "bandpass"
    l_freq: float
    h_freq: float
    _: KW_ONLY
    order: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("l_freq", self.l_freq, low=0.0, low_open=True, unit="Hz")
        check_range("h_freq", self.h_freq, low=0.0, low_open=True, unit="Hz")
        check_int("order", self.order, low=1, high=12)
        if self.l_freq >= self.h_freq:
            raise ArgumentError(f"l_freq ({self.l_freq:g} Hz) must be below h_freq ({self.h_freq:g} Hz).")

    def sections(self, info: StreamInfo) -> NDArray[np.float64]:
        """Return ``scipy.signal.butter(order, [l_freq, h_freq], "bandpass")``."""
        return _butter(self.order, [self.l_freq, self.h_freq], "bandpass", info)


@dataclass(eq=False)
class Highpass(IirStep):
    """Butterworth high-pass.

    Parameters
    ----------
    freq : float
        Edge in Hz, where the power is halved.
    order : int
        Order.
    """

    name: ClassVar[str] = "highpass"
    freq: float
    _: KW_ONLY
    order: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("freq", self.freq, low=0.0, low_open=True, unit="Hz")
        check_int("order", self.order, low=1, high=12)

    def sections(self, info: StreamInfo) -> NDArray[np.float64]:
        """Return ``scipy.signal.butter(order, freq, "highpass")``."""
        return _butter(self.order, [self.freq], "highpass", info)


@dataclass(eq=False)
class Lowpass(IirStep):
    """Butterworth low-pass.

    Parameters
    ----------
    freq : float
        Edge in Hz, where the power is halved.
    order : int
        Order.
    """

    name: ClassVar[str] = "lowpass"
    freq: float
    _: KW_ONLY
    order: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("freq", self.freq, low=0.0, low_open=True, unit="Hz")
        check_int("order", self.order, low=1, high=12)

    def sections(self, info: StreamInfo) -> NDArray[np.float64]:
        """Return ``scipy.signal.butter(order, freq, "lowpass")``."""
        return _butter(self.order, [self.freq], "lowpass", info)


@dataclass(eq=False)
class Notch(IirStep):
    """Takes out one frequency with a second-order notch.

    Parameters
    ----------
    freq : float or None
        Hz; None for the mains frequency that the stream states.
    quality : float
        Frequency over the width at half power.
    """

    name: ClassVar[str] = "notch"
    freq: float | None = None
    _: KW_ONLY
    quality: float = 30.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.freq is not None:
            check_range("freq", self.freq, low=0.0, low_open=True, unit="Hz")
        check_range("quality", self.quality, low=0.5, high=1000.0)

    def sections(self, info: StreamInfo) -> NDArray[np.float64]:
        """Return ``scipy.signal.iirnotch(freq, quality)`` as one section."""
        freq = check_frequency("freq of notch", mains(self.freq, info, self.name), info)
        return _notch(freq, self.quality, info.sfreq)


@dataclass(kw_only=True, eq=False)
class Comb(IirStep):
    """Takes out a frequency and its harmonics: one notch each, so that any sampling rate will do.

    Parameters
    ----------
    freq : float or None
        Hz; None for the mains frequency that the stream states.
    width : float
        Width of each notch at half power in Hz.
    n_harmonics : int or None
        How many notches; None for all below half the sampling rate.
    """

    name: ClassVar[str] = "comb"
    freq: float | None = None
    width: float = 1.5
    n_harmonics: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.freq is not None:
            check_range("freq", self.freq, low=0.0, low_open=True, unit="Hz")
        check_range("width", self.width, low=0.01, high=20.0, unit="Hz")
        if self.n_harmonics is not None:
            check_int("n_harmonics", self.n_harmonics, low=1)

    def sections(self, info: StreamInfo) -> NDArray[np.float64]:
        """Return one notch section a harmonic."""
        base = check_frequency("freq of comb", mains(self.freq, info, self.name), info)
        # Within half a width of Nyquist a notch has no upper edge.
        count = int((info.sfreq / 2 - self.width / 2) / base)
        count = count if self.n_harmonics is None else min(count, self.n_harmonics)
        return np.vstack([_notch(base * k, base * k / self.width, info.sfreq) for k in range(1, max(count, 1) + 1)])


def mains(freq: float | None, info: StreamInfo, who: str) -> float:
    """Return a frequency that was given, or else the mains frequency of a stream.

    Raises
    ------
    ArgumentError
        If neither is known.
    """
    if freq is not None:
        return freq
    if info.line_freq is None:
        raise ArgumentError(
            f"{who} has no freq, and {info.name!r} does not state its mains frequency; give freq=50 or freq=60, or "
            "find it with bcikit.processing.detect_line_freq."
        )
    return info.line_freq


def _butter(order: int, edges: list[float], kind: str, info: StreamInfo) -> NDArray[np.float64]:
    from scipy.signal import butter

    for edge in edges:
        check_frequency(f"{kind} edge", edge, info)
    return butter(order, edges if len(edges) > 1 else edges[0], kind, fs=info.sfreq, output="sos")


def _notch(freq: float, quality: float, sfreq: float) -> NDArray[np.float64]:
    from scipy.signal import iirnotch

    b, a = iirnotch(freq, quality, fs=sfreq)
    return np.concatenate([b, a])[None, :]
