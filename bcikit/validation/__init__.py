"""The device bench: tests, limits, uncertainty, report, pytest plugin."""
