"""The digital twin and the device under test."""
