"""How a stream of chunks becomes XDF: its samples, its masks, and a row a chunk that keeps boundaries and health."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bcikit.recording.layout import CHUNK_COLUMNS, MARKERS, Track
from bcikit.recording.xdf import (
    encode_boundary,
    encode_file_header,
    encode_samples,
    encode_stream_footer,
    encode_stream_header,
)
from bcikit.signal import Chunk, Flag


def encode_headers(tracks: Mapping[str, Track]) -> bytes:
    """Return the beginning of the XDF file: its header and those of all streams."""
    parts = [
        encode_file_header(),
        encode_stream_header(
            MARKERS, name="bcikit-events", kind="Markers", channel_format="string", labels=["event"], source_id="events"
        ),
    ]
    for track in tracks.values():
        info, numbers = track.info, track.numbers
        parts.append(
            encode_stream_header(
                numbers.signal,
                name=info.name,
                kind="EEG" if "eeg" in info.ch_types else "Signal",
                channel_format="double64",
                labels=info.ch_names,
                sfreq=info.sfreq,
                source_id=info.source_id,
                info=info,
            )
        )
        parts.append(
            encode_stream_header(
                numbers.chunks,
                name=f"{info.name}-chunks",
                kind="bcikit-chunks",
                channel_format="double64",
                labels=CHUNK_COLUMNS,
                source_id=f"{info.source_id}-chunks",
            )
        )
        parts.append(
            encode_stream_header(
                numbers.mask,
                name=f"{info.name}-mask",
                kind="bcikit-mask",
                channel_format="int16",
                labels=info.ch_names,
                source_id=f"{info.source_id}-mask",
            )
        )
    return b"".join([*parts, encode_boundary()])


def encode_track(track: Track, chunk: Chunk, arrival: float, order: int) -> bytes:
    """Return a chunk for the XDF file: samples, mask where there is one, and last the row that makes them count."""
    health = chunk.health
    parts = []
    if chunk.n_times:
        parts.append(encode_samples(track.numbers.signal, chunk.times, chunk.data))
        if health.mask is not None:
            parts.append(encode_samples(track.numbers.mask, chunk.times, health.mask, channel_format="int16"))
    row = [
        chunk.first_sample,
        chunk.n_times,
        health.lost,
        int(health.flags),
        health.age,
        health.mask is not None,
        order,
    ]
    parts.append(encode_samples(track.numbers.chunks, np.array([arrival]), np.array([row], dtype=np.float64)))
    return b"".join(parts)


def encode_footers(numbers: list[int], counts: Mapping[int, int], spans: Mapping[int, tuple[float, float]]) -> bytes:
    """Return the footers of all streams."""
    parts = []
    for number in numbers:
        first, last = spans.get(number, (0.0, 0.0))
        summary = {"first_timestamp": first, "last_timestamp": last, "sample_count": counts.get(number, 0)}
        parts.append(encode_stream_footer(number, summary))
    return b"".join(parts)


def health_record(track: Track, chunk: Chunk, arrival: float) -> dict[str, Any]:
    """Return what `health.jsonl` says of a chunk that is not clean; the exact mask is in the XDF file."""
    bad = chunk.health.bad_per_channel(chunk.n_channels)
    return {
        "kind": "chunk",
        "time": arrival,
        "stream": track.name,
        "first_sample": chunk.first_sample,
        "n_times": chunk.n_times,
        "lost": chunk.health.lost,
        "age": chunk.health.age,
        "flags": [flag.name for flag in Flag if flag and flag in chunk.health.flags],
        "bad": {name: int(count) for name, count in zip(track.info.ch_names, bad, strict=True) if count},
    }
