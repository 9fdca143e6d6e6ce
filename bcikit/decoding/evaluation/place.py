"""Whose the tables of a folder are: what is computed is shared by all studies in it, tables are each study's own."""

import csv
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_json

TABLES = ("results.csv", "results.parquet", "comparisons.json", "meta-analysis.json")
_MARK = "study.json"


def claim(out: Path, *, study: Path, name: str, settings: str, keys: Collection[str]) -> tuple[Path, tuple[str, ...]]:
    """Return the folder for the tables of a study, and what is to be said of others that are there.

    The first study of a folder has the folder itself, any other one a folder of its own in it. Where the same study
    file asks for something else than before, the table that would lose rows is kept aside.

    Parameters
    ----------
    out : Path
        Folder of results.
    study : Path
        The study file.
    name : str
        Of the study.
    settings : str
        Hash of what it asks for.
    keys : collection of str
        Of all scores that it asks for.
    """
    said: list[str] = []
    mark = {"study": str(study.resolve()), "name": name, "settings": settings}
    places = [out, out / study.stem, *(out / f"{study.stem}-{number}" for number in range(2, 1000))]
    for place in places:
        owner = _owner(place)
        rows = _rows(place)
        lost = sum(key not in keys for key in rows)
        if owner is None:
            same = not any((place / table).exists() for table in TABLES) or (bool(rows) and not lost)
        else:
            # A study that was moved with its data is the same one.
            same = mark["settings"] == owner.get("settings") or mark["study"] == owner.get("study")
            same = same or (bool(rows) and not lost)
        if not same:
            whose = "another study" if owner is None else f"the study {owner.get('name')} of {owner.get('study')}"
            said.append(f"{place} has the tables of {whose}; they are left as they are")
            continue
        if lost:
            aside = next(path for n in range(1, 10_000) if not (path := place / f"before-{n}").exists())
            aside.mkdir(parents=True)
            for table in TABLES:
                if (place / table).exists():
                    (place / table).replace(aside / table)
            said.append(
                f"{lost} rows in {place} are not of this study as it is now; the tables with them are in {aside}"
            )
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / _MARK, json.dumps(mark, indent=1).encode())
        if place != out:
            said.append(f"the tables of this one are in {place}")
        return place, tuple(said)
    raise AssertionError("a thousand studies in one folder")


def _owner(place: Path) -> dict[str, Any] | None:
    try:
        found = read_json(place / _MARK)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _rows(place: Path) -> list[str]:
    """Return the key of each row of the table that is there."""
    try:
        with (place / "results.csv").open(newline="", encoding="utf-8") as file:
            return [row.get("key") or "" for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
