"""A Source gives chunks: BrainFlow, LSL, files, simulations, behind one contract and one address."""

from bcikit.acquisition.address import Address
from bcikit.acquisition.registry import open_source, schemes
from bcikit.acquisition.source import Interactive, Source

__all__ = ["Address", "Interactive", "Source", "open_source", "schemes"]
