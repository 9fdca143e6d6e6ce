"""pyqtgraph: live signals, health and safety strip, clinic window."""
