"""What the benchmark of the pipeline runs: bcikit's candidates and its peers', as functions without arguments."""

import itertools
from collections.abc import Callable

import numpy as np

import bcikit.processing as bp
from bcikit.processing.covariance import RunningCovariance
from bcikit.signal import Chunk, Ring, StreamInfo

SFREQ = 1000.0
CHANNELS = (8, 64, 256)
BANDS = {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0)}


def stream(n_channels: int, sfreq: float = SFREQ) -> StreamInfo:
    return StreamInfo(name="bench", sfreq=sfreq, ch_names=tuple(f"c{i}" for i in range(n_channels)), line_freq=50.0)


def arrays(n_channels: int, n_times: int, count: int = 16) -> "itertools.cycle[np.ndarray]":
    rng = np.random.default_rng(0)
    return itertools.cycle([rng.standard_normal((n_times, n_channels)) * 20 for _ in range(count)])


def chunks(n_channels: int, n_times: int, sfreq: float = SFREQ) -> Callable[[], Chunk]:
    """Return a source of chunks that follow each other."""
    data = arrays(n_channels, n_times)
    times = np.arange(n_times) / sfreq
    position = itertools.count(0, n_times)
    return lambda: Chunk(next(data), times, next(position))


def sections() -> np.ndarray:
    info = stream(1)
    return np.vstack([bp.Bandpass(l_freq=1, h_freq=40).sections(info), bp.Notch().sections(info)])


def settle(step: bp.Step, source: Callable[[], Chunk], n_times: int, sfreq: float = SFREQ) -> None:
    """Run a step until nothing of the start is left."""
    for _ in range(int((step.settling + 1.2) * sfreq / n_times) + 1):
        step.process(source())


def bcikit_filter(n_channels: int, n_times: int, engine: str) -> Callable[[], object]:
    pipeline = bp.Pipeline([bp.Bandpass(l_freq=1, h_freq=40), bp.Notch()], engine=engine)
    pipeline.configure(stream(n_channels))
    source = chunks(n_channels, n_times)
    settle(pipeline, source, n_times)
    return lambda: pipeline.process(source())


def scipy_filter(n_channels: int, n_times: int) -> Callable[[], object]:
    from scipy.signal import sosfilt

    sos, data = sections(), arrays(n_channels, n_times)
    state = np.zeros((5, 2, n_channels))

    def run() -> object:
        nonlocal state
        out, state = sosfilt(sos, next(data), axis=0, zi=state)
        return out

    return run


def ezmsg_messages(n_channels: int, n_times: int) -> Callable[[], object]:
    from ezmsg.util.messages.axisarray import AxisArray

    names = AxisArray.CoordinateAxis(data=np.array([f"c{i}" for i in range(n_channels)]), dims=["ch"])
    data = arrays(n_channels, n_times)
    messages = itertools.cycle(
        AxisArray(
            data=next(data),
            dims=["time", "ch"],
            key="s",
            axes={"time": AxisArray.TimeAxis(fs=SFREQ, offset=i * n_times / SFREQ), "ch": names},
        )
        for i in range(16)
    )
    return lambda: next(messages)


def ezmsg_filter(n_channels: int, n_times: int) -> Callable[[], object]:
    from ezmsg.sigproc.butterworthfilter import ButterworthFilterSettings, ButterworthFilterTransformer
    from ezmsg.sigproc.filter import FilterCoefficients, FilterSettings, FilterTransformer
    from scipy.signal import iirnotch

    b, a = iirnotch(50, 30, fs=SFREQ)
    band = ButterworthFilterTransformer(ButterworthFilterSettings(order=4, cuton=1.0, cutoff=40.0, coef_type="sos"))
    notch = FilterTransformer(FilterSettings(coefs=FilterCoefficients(b=b, a=a)))
    message = ezmsg_messages(n_channels, n_times)
    return lambda: notch(band(message()))


def bcikit_bands(n_channels: int, n_times: int) -> Callable[[], object]:
    step = bp.BandPower(window=1.0, hop=0.04, bands=BANDS)
    step.configure(stream(n_channels))
    source = chunks(n_channels, n_times)
    settle(step, source, n_times)
    while not step.process(source()).n_times:
        pass
    calls = 40 // n_times

    def run() -> object:
        for _ in range(calls - 1):
            step.process(source())
        out = step.process(source())
        assert out.n_times == 1
        return out

    return run


def fft_bands(n_channels: int, n_times: int) -> Callable[[], object]:
    """Return the best of the FFTs on a window from a ring: planned pyfftw where it is installed, else scipy."""
    ring = Ring(1000, n_channels)
    data = arrays(n_channels, n_times)
    for _ in range(1000 // n_times):
        ring.append(next(data))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1000) / 1000)
    spans = [slice(int(low), int(high)) for low, high in BANDS.values()]
    scale = 2.0 / (SFREQ * (window @ window))
    try:
        import pyfftw

        buffer = pyfftw.empty_aligned((n_channels, 1000), dtype=np.float64)
        spectrum = pyfftw.empty_aligned((n_channels, 501), dtype=np.complex128)
        plan = pyfftw.FFTW(buffer, spectrum, axes=(1,), flags=("FFTW_MEASURE",), threads=1)
    except ImportError:
        from scipy.fft import rfft

        buffer = np.empty((n_channels, 1000))

        def plan() -> np.ndarray:
            return rfft(buffer, axis=1)

    def run() -> object:
        ring.append(next(data))
        np.multiply(ring.newest(1000).T, window, out=buffer)
        bins = plan()
        power = bins.real**2 + bins.imag**2
        return np.stack([power[:, span].sum(axis=1) for span in spans]) * scale

    return run


def ezmsg_bands(n_channels: int, n_times: int) -> Callable[[], object]:
    from ezmsg.sigproc.bandpower import (
        AggregationFunction,
        BandPowerSettings,
        BandPowerTransformer,
        SpectrogramSettings,
    )
    from ezmsg.sigproc.spectrum import SpectralOutput, SpectralTransform, WindowFunction

    step = BandPowerTransformer(
        BandPowerSettings(
            spectrogram_settings=SpectrogramSettings(
                window_dur=1.0,
                window_shift=0.04,
                window=WindowFunction.HANNING,
                transform=SpectralTransform.REL_POWER,
                output=SpectralOutput.POSITIVE,
            ),
            bands=list(BANDS.values()),
            aggregation=AggregationFunction.MEAN,
        )
    )
    message = ezmsg_messages(n_channels, n_times)
    for _ in range(60):
        step(message())
    return lambda: step(message())


def covariances(n_channels: int) -> dict[str, Callable[[], object]]:
    """Per 100 ms over a window of 1 s at 500 Hz."""
    from pyriemann.estimation import Covariances

    data = arrays(n_channels, 50)
    running = RunningCovariance(n_channels, 10, 50)
    for _ in range(12):
        running.add(next(data))

    def update() -> object:
        running.add(next(data))
        return running.matrix()

    rng = np.random.default_rng(0)
    windows = itertools.cycle([rng.standard_normal((1, n_channels, 500)) for _ in range(8)])
    estimator = Covariances("scm").fit(next(windows))
    return {"bcikit": update, "peer": lambda: estimator.transform(next(windows))}


def rings(n_channels: int) -> dict[str, Callable[[], object]]:
    data = arrays(n_channels, 8)
    made: dict[str, Callable[[], object]] = {}
    for name, length in (("short", 2000), ("long", 60000)):
        ring = Ring(length, n_channels)
        for _ in range(length // 8 + 1):
            ring.append(next(data))

        def run(ring: Ring = ring) -> object:
            ring.append(next(data))
            return ring.newest(1000)

        made[name] = run
    buffer = np.zeros((10000, n_channels))

    def roll() -> object:
        rolled = np.roll(buffer, -8, axis=0)
        rolled[-8:] = next(data)
        return rolled

    made["roll"] = roll
    return made
