"""For those who write adapters: the tests that every plug-in of bcikit passes.

Write a test class that says how yours is made, and pytest runs them all::

    from bcikit.testing import SourceConformance

    class TestMyAmplifier(SourceConformance):
        def open(self):
            return bcikit.open_source("myamp:simulated")
"""

from bcikit.testing.decoder import DecoderConformance
from bcikit.testing.output import DriverConformance, OutputConformance
from bcikit.testing.paradigm import ParadigmConformance
from bcikit.testing.source import SourceConformance, check_chunks
from bcikit.testing.step import StepConformance

__all__ = [
    "DecoderConformance",
    "DriverConformance",
    "OutputConformance",
    "ParadigmConformance",
    "SourceConformance",
    "StepConformance",
    "check_chunks",
]


def __dir__() -> list[str]:
    return sorted(__all__)
