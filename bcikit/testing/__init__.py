"""For those who write adapters: the tests that every source of bcikit passes.

Write a test class that says how your source is opened, and pytest runs them all::

    from bcikit.testing import SourceConformance

    class TestMyAmplifier(SourceConformance):
        def open(self):
            return bcikit.open_source("myamp:simulated")
"""

from bcikit.testing.source import SourceConformance, check_chunks

__all__ = ["SourceConformance", "check_chunks"]
