"""What the converter's codes look like: each of the low bits is 0 as often as 1."""

import numpy as np

from bcikit.validation.residual.found import Found, finding
from bcikit.validation.takes import Take

FEWEST = 24
"""Runs of codes with one value of the bit that a signal must visit: that so many are all alike is no chance."""


def codes(take: Take) -> Found:
    """Return bits that are always 0, or always 1, though the signal runs over many codes."""
    found: Found = []
    for column in take.signals:
        x = take.data[:, column]
        values = np.unique(x)
        if len(values) < 24:
            continue
        step = float(np.diff(values).min())
        # In steps of the smallest difference; of a stream that was scaled or filtered no grid is left.
        scaled = x / step
        grid = np.round(scaled)
        if np.abs(grid).max() > 2**40 or np.abs(scaled - grid).max() > 0.02:
            continue
        whole = grid.astype(np.int64)
        reach = int(whole.max() - whole.min())
        for bit in range(16):
            if reach < 10 << bit:
                break
            share = float(np.mean((whole >> bit) & 1))
            # A sine whose period is a few samples is at a few places only, however far it reaches.
            if not 0.03 < share < 0.97 and len(np.unique(whole >> bit)) >= FEWEST:
                label = f"Share of ones in bit {bit} of the converter, over {reach} codes"
                found.append(finding("code_bits", label, share, "1", take.info.ch_names[column]))
                break
    return found
