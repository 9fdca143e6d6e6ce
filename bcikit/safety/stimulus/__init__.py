"""Stimulus safety: designs before they start, frames while they run, captured frames of scenes."""

from bcikit.safety.stimulus.analyse import Finding, StimulusReport, analyse_design
from bcikit.safety.stimulus.design import StimulusDesign, load_design

__all__ = ["Finding", "StimulusDesign", "StimulusReport", "analyse_design", "load_design"]
