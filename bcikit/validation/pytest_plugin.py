"""Fixtures for makers of devices: pytest --bcikit-source=ADDRESS."""
