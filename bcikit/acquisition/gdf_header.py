"""The units in the header of GDF files: MNE knows microvolts, and takes most others for volts."""

import struct
from pathlib import Path

_CODES = {0: "", 512: "", 4256: "V", 4274: "mV", 4275: "uV", 4276: "nV"}
"""Voltages, and no unit, among the codes of GDF 2 (ISO 11073-10101, as BioSig lists them)."""

OTHER = "other"
"""What stands for the codes of everything that is no voltage."""


def gdf_units(path: Path) -> tuple[list[tuple[str, str]], dict[str, float]]:
    """Return label and unit of each channel, and the microvolts MNE takes one of a unit for (one not in it for a volt).

    Parameters
    ----------
    path : Path
        A GDF file that MNE could read.
    """
    with path.open("rb") as file:
        head = file.read(256)
        first = float(head[4:8]) < 1.9
        (n,) = struct.unpack("<I", head[252:256]) if first else struct.unpack("<H", head[252:254])
        signals = file.read(256 * n)
    labels = [_text(signals[16 * i : 16 * (i + 1)]) for i in range(n)]
    if first:
        units = [_text(signals[96 * n + 8 * i : 96 * n + 8 * (i + 1)]) for i in range(n)]
        return list(zip(labels, units, strict=True)), {unit: 1.0 for unit in units if unit[:2] == "uV"}
    codes = struct.unpack(f"<{n}H", signals[102 * n : 104 * n])
    return [(label, _CODES.get(code, OTHER)) for label, code in zip(labels, codes, strict=True)], {"uV": 1.0, "mV": 1e3}


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("latin-1").strip()
