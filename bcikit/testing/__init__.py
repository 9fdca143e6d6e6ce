"""For those who write adapters: the tests that every plug-in of bcikit passes.

Write a test class that says how yours is made, and pytest runs them all::

    from bcikit.testing import SourceConformance

    class TestMyAmplifier(SourceConformance):
        def open(self):
            return bcikit.open_source("myamp:simulated")

A device on the wire, read by BrainFlow's own driver, with whatever its link does wrong::

    from bcikit.testing import CytonEmulator, LinkPlan

    with CytonEmulator(LinkPlan(block=10, stalls=((5.0, 0.8),))) as device:
        source = bcikit.open_source(device.address)
"""

from bcikit.testing.decoder import DecoderConformance
from bcikit.testing.emulators import CytonDaisyEmulator, CytonEmulator, Emulator, EmulatorProcess
from bcikit.testing.link_plan import LinkPlan
from bcikit.testing.output import DriverConformance, OutputConformance
from bcikit.testing.paradigm import ParadigmConformance
from bcikit.testing.source import SourceConformance, check_chunks
from bcikit.testing.step import StepConformance
from bcikit.testing.stop_box import SimulatedStopBox
from bcikit.testing.wifi_emulator import GanglionWifiEmulator

__all__ = [
    "CytonDaisyEmulator",
    "CytonEmulator",
    "DecoderConformance",
    "DriverConformance",
    "Emulator",
    "EmulatorProcess",
    "GanglionWifiEmulator",
    "LinkPlan",
    "OutputConformance",
    "ParadigmConformance",
    "SimulatedStopBox",
    "SourceConformance",
    "StepConformance",
    "check_chunks",
]


def __dir__() -> list[str]:
    return sorted(__all__)
