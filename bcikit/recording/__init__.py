"""Crash-safe session files, exports, the catalogue, de-identification."""
