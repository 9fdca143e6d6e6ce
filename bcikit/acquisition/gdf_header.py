"""What MNE does not take from GDF files: units other than microvolts, and the rate of the events."""

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


def gdf_has_rate(path: Path) -> bool:
    """Return whether the header states how long a record is; MNE takes one of 0 s for one of a second."""
    with path.open("rb") as file:
        return any(file.read(248)[244:248])


def gdf_event_rate(path: Path, place: int) -> float:
    """Return the rate in Hz on whose grid the table of events at a place of the file counts; 0 where it has none."""
    with path.open("rb") as file:
        first = float(file.read(8)[4:8]) < 1.9
        file.seek(place)
        head = file.read(8)
    if len(head) < 8:
        return 0.0
    rate = int.from_bytes(head[1:4], "little") if first else struct.unpack("<f", head[4:8])[0]
    return float(rate) if 0.0 < rate < 1e6 else 0.0


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("latin-1").strip()
