"""Steps on chunks, and the Pipeline: filters, re-reference, artefacts, features, windows."""

from bcikit.processing.step import Pipeline, Step

__all__ = ["Pipeline", "Step"]
