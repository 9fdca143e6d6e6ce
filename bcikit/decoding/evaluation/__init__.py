"""Evaluation of decoders on folders of recordings: tasks, splits side by side, report."""
