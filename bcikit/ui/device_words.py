"""What was found to be reachable, in the language of the interface; names stay as they are."""

import re

from bcikit.ui.words import tr


def kind_words(what: str) -> str:
    """Return what kind of device it is."""
    return {
        "LSL stream": tr("LSL stream"),
        "LSL markers": tr("LSL markers"),
        "serial port": tr("serial port"),
        "simulated board": tr("simulated board"),
        "cannot be asked": tr("cannot be asked"),
    }.get(what, what)


def detail_words(detail: str) -> str:
    """Return the details of a device in the language of the interface; names stay as they are."""
    known = {
        "16 channels, 250 Hz; sines, not EEG, for trying out": tr(
            "16 channels, 250 Hz; sines, not EEG, for trying out"
        ),
        "unknown device": tr("unknown device"),
        "irregular": tr("irregular"),
        "no rate stated: behind the address": tr("no rate stated: behind the address"),
    }
    if detail in known:
        return known[detail]
    parts = [known.get(part, part) for part in detail.split(", ")]
    counted = [re.fullmatch(r"(\d+) channels", part) for part in parts]
    return ", ".join(
        part if count is None else tr("{count} channels").format(count=count[1])
        for part, count in zip(parts, counted, strict=True)
    )
