# ruff: noqa: E501 - seeds are lines of other programs
"""What a stranger does to a file or a message, and what a parser may answer: a value, or a `BciError`."""

import json
import random
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bcikit.safety.guard.protocol import ProtocolError
from bcikit.signal import BciError

ROOM = 64 << 20
"""Bytes that a parser may need beside four times its input: libraries that it imports, blocks that it reads."""

SECONDS = 20.0
"""After which a parser counts as hung; on a loaded machine each of these inputs takes milliseconds."""

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, float("nan"), float("inf"), -float("inf"),
    1e308, 1e-320, -0.0, 0.5, "", " ", "\0", "\u200b", "\ud800", "\u202eabc", "x" * 5000, "１２", "²", "٣", "nan", "1e400",
    "../../etc/passwd", "/dev/zero", "%s%n", "{}", "2999-01-01", "9999-12-31T23:59:60", "0001-01-01T00:00:00+23:59",
    [], {}, [None], [[]], {"": None}, {"a": {"b": []}}, [1, "a", None, {}], [float("nan")] * 3, list(range(300)),
)  # fmt: skip
"""Values that are of another type, size or kind than anybody expects."""

TOKENS = (
    b"", b"\0", b"-", b"nan", b"inf", b"1e400", b"-1", b"9" * 5000, b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\x8b", b",", b"=",
    b"[" * 2000, b"{" * 2000, b'{"a":' * 1500, b"\n", b"\r", b'"', b"'", b"#", b"\t", b"%", b"1979-05-27", b"0x", b"1_0",
    b"&", b"?", b":", b"@", b"~", b"*", b"..", b"true", b"null", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"\xef\xbc\x91", b"18446744073709551616",
)  # fmt: skip
"""Pieces that text is spoilt with."""


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes
    ----------
    name : str
        For people; the part before the colon is the kind.
    seeds : tuple of bytes
        Good inputs, which are spoilt.
    run : callable
        Gives an input to the parser; raises `BciError` where it is refused.
    form : str
        "binary", "text" or "json": how it is spoilt.
    """

    name: str
    seeds: tuple[bytes, ...]
    run: Callable[[bytes], object]
    form: str = "binary"


@dataclass
class Findings:
    """What a run found."""

    inputs: int = 0
    refused: int = 0
    read: int = 0
    slowest: float = 0.0
    faults: dict[str, bytes] = field(default_factory=dict)


def spoil(rng: random.Random, target: Target) -> bytes:
    """Return an input made from one of the good ones of a target."""
    seed = rng.choice(target.seeds)
    if rng.random() < 0.02:
        return rng.choice((b"", rng.randbytes(rng.randrange(400)), seed * 2))
    if target.form == "json" and rng.random() < 0.8:
        values = json.loads(seed)
        for _ in range(rng.randrange(1, 4)):
            values = _spoil_value(rng, values)
        # Lone surrogates and NaN pass json.dumps as JSON that json.loads takes.
        return json.dumps(values).encode()
    raw = bytearray(seed)
    for _ in range(rng.randrange(1, 5)):
        _spoil_bytes(rng, raw, text=target.form != "binary")
    return bytes(raw)


def _spoil_value(rng: random.Random, values: Any) -> Any:
    places = list(_places(values))
    if not places or rng.random() < 0.03:
        return _copy(rng.choice(NASTY))
    holder, key = rng.choice(places)
    how = rng.random()
    if how < 0.6:
        holder[key] = _copy(rng.choice(NASTY))
    elif how < 0.75:
        del holder[key]
    elif how < 0.85 and isinstance(holder, dict):
        holder[rng.choice(("", "time", "sample", "kind", "type", "v", "\ud800", "x" * 300))] = _copy(rng.choice(NASTY))
    elif how < 0.95:
        other, its = rng.choice(places)
        holder[key] = _copy(other[its]) if rng.random() < 0.5 else [holder[key]]
    else:
        deep: Any = 1
        for _ in range(900):
            deep = [deep]
        holder[key] = deep
    return values


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _places(values: Any, level: int = 0) -> Any:
    if level > 50 or not isinstance(values, dict | list):
        return
    for key in list(values) if isinstance(values, dict) else range(len(values)):
        yield values, key
        yield from _places(values[key], level + 1)


def _spoil_bytes(rng: random.Random, raw: bytearray, *, text: bool) -> None:
    size = len(raw)
    at = rng.randrange(size + 1) if size else 0
    how = rng.randrange(9)
    if how == 0 and at < size:
        raw[at] ^= 1 << rng.randrange(8)
    elif how == 1:
        del raw[max(1, at) :]
    elif how == 2:
        raw[at : at + 16] = bytes(len(raw[at : at + 16]))
    elif how == 3:
        raw[at:at] = raw[at : at + 64]
    elif how == 4:
        raw[at : at + 4] = b"9999"[: len(raw[at : at + 4])]
    elif how == 5:
        del raw[at : at + rng.randrange(1, 40)]
    elif how == 6:
        value = rng.choice(
            (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FF8000000000000, 0x7FF0000000000000, 2**63)
        )
        width = rng.choice((2, 4, 8))
        piece = (value & (1 << 8 * width) - 1).to_bytes(width, rng.choice(("little", "big")))
        raw[at : at + width] = piece[: max(0, size - at)] if not text else piece
    elif how == 7:
        end = at + rng.randrange(0, 12)
        raw[at:end] = rng.choice(TOKENS)
    else:
        other = rng.randrange(size + 1)
        raw[at:at] = raw[other : other + rng.randrange(1, 200)]


def attack(target: Target, raw: bytes, found: Findings, *, watch: bool = True) -> None:
    """Give a parser one input and note what comes: a value, a refusal in words, or a fault."""
    began = time.perf_counter()
    if watch:
        tracemalloc.start()
    problem = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.run(raw)
        found.read += 1
    except (BciError, ProtocolError) as error:
        found.refused += 1
        if not str(error).strip():
            problem = "a refusal without a word"
    except Exception as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        where = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last else "?"
        problem = f"{type(error).__name__} at {where}: {str(error)[:100]}"
    if watch:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if peak > 4 * len(raw) + ROOM:
            problem = problem or f"{peak >> 20} MB for {len(raw)} bytes"
    took = time.perf_counter() - began
    found.inputs += 1
    found.slowest = max(found.slowest, took)
    if took > SECONDS:
        problem = problem or f"{took:.0f} s for {len(raw)} bytes"
    if problem:
        found.faults.setdefault(problem, raw)
