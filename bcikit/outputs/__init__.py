"""Outputs: where the commands that the gate let through go."""

from bcikit.outputs.base import Latch, Output
from bcikit.outputs.registry import open_output, output_class

__all__ = ["Latch", "Output", "open_output", "output_class"]


def __dir__() -> list[str]:
    return sorted(__all__)
