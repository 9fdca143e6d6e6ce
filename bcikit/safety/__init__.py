"""Monitors, the gate, the guard process, the audit log."""
