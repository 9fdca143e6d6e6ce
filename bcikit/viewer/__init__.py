"""The live window: signals, health, decisions and the safety strip, drawn by pyqtgraph."""
