"""ezmsg as a running graph: source, Butterworth band-pass, notch, average reference, sink; age of a chunk there."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator

os.environ.setdefault("EZMSG_LOGLEVEL", "ERROR")

import ezmsg.core as ez
import numpy as np
from ezmsg.sigproc.butterworthfilter import ButterworthFilter, ButterworthFilterSettings
from ezmsg.util.messages.axisarray import AxisArray
from ezmsg.util.messages.util import replace

AGES: list[float] = []


class SourceSettings(ez.Settings):
    """How much the source gives."""

    n_channels: int
    length: float


class Source(ez.Unit):
    """One chunk of 8 samples each 8 ms."""

    SETTINGS = SourceSettings
    OUTPUT = ez.OutputStream(AxisArray)

    @ez.publisher(OUTPUT)
    async def run(self) -> AsyncGenerator:
        """Give one chunk after the other at their pace."""
        data = [np.random.default_rng(i).standard_normal((8, self.SETTINGS.n_channels)) for i in range(16)]
        names = AxisArray.CoordinateAxis(data=np.array([f"c{i}" for i in range(data[0].shape[1])]), dims=["ch"])
        await asyncio.sleep(1.0)
        begin = time.perf_counter()
        for index in range(1, int(self.SETTINGS.length * 125)):
            await asyncio.sleep(max(0.0, begin + index * 0.008 - time.perf_counter()))
            axes = {"time": AxisArray.TimeAxis(fs=1000.0, offset=index * 0.008), "ch": names}
            born = {"born": time.perf_counter()}
            yield self.OUTPUT, AxisArray(data=data[index % 16], dims=["time", "ch"], key="s", attrs=born, axes=axes)
        yield self.OUTPUT, AxisArray(data=data[0], dims=["time", "ch"], key="s", attrs={"born": -1.0}, axes=axes)


class Average(ez.Unit):
    """Subtracts the mean over channels."""

    INPUT = ez.InputStream(AxisArray)
    OUTPUT = ez.OutputStream(AxisArray)

    @ez.subscriber(INPUT, zero_copy=True)
    @ez.publisher(OUTPUT)
    async def on_message(self, message: AxisArray) -> AsyncGenerator:
        """Pass on the difference."""
        yield self.OUTPUT, replace(message, data=message.data - message.data.mean(axis=1, keepdims=True))


class Sink(ez.Unit):
    """Notes the age of each chunk."""

    INPUT = ez.InputStream(AxisArray)

    @ez.subscriber(INPUT)
    async def on_message(self, message: AxisArray) -> None:
        """Note one age, or end the graph."""
        if message.attrs["born"] < 0:
            raise ez.NormalTermination
        AGES.append(time.perf_counter() - message.attrs["born"])


def ages_of_ezmsg(n_channels: int, length: float) -> list[float]:
    """Return the age in seconds of each chunk at the sink."""
    source = Source(SourceSettings(n_channels=n_channels, length=length))
    band = ButterworthFilter(ButterworthFilterSettings(order=4, cuton=1.0, cutoff=40.0, coef_type="sos"))
    notch = ButterworthFilter(ButterworthFilterSettings(order=1, cuton=51.0, cutoff=49.0, coef_type="sos"))
    average, sink = Average(), Sink()
    connections = (
        (source.OUTPUT, band.INPUT_SIGNAL),
        (band.OUTPUT_SIGNAL, notch.INPUT_SIGNAL),
        (notch.OUTPUT_SIGNAL, average.INPUT),
        (average.OUTPUT, sink.INPUT),
    )
    components = {"SOURCE": source, "BAND": band, "NOTCH": notch, "AVERAGE": average, "SINK": sink}
    ez.run(components=components, connections=connections)
    return AGES
