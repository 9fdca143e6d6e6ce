"""Films of movements: all pictures of one on one sheet, so that every renderer shows the same one at the same time."""

import io
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bcikit.signal import DataError

FOLDER = Path(__file__).parent / "film_sheets"
ANIMATED = (".gif", ".webp", ".png", ".apng")
MOST_FRAMES = 400
"""A film of 16 s at 25 pictures a second."""
WIDE, HIGH = 480, 360
SHORTEST_MS, UNSTATED_MS = 10.0, 100.0
"""A picture that states no time, or no more than the first, is shown for the second: as in browsers."""


@dataclass(frozen=True, slots=True)
class FilmSheet:
    """A film as one picture.

    Attributes
    ----------
    png : bytes
        All frames, row by row.
    width, height : int
        Of one frame in pixels.
    columns, frames : int
        Frames in a row, and in all.
    rate : float
        Frames a second.
    """

    png: bytes
    width: int
    height: int
    columns: int
    frames: int
    rate: float

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return self.frames / self.rate

    def frame_at(self, seconds: float) -> tuple[float, float, float, float]:
        """Return left, top, width and height of the frame at a time since the start; it begins again at its end."""
        number = int(max(seconds, 0.0) * self.rate + 1e-9) % self.frames
        row, column = divmod(number, self.columns)
        return (float(column * self.width), float(row * self.height), float(self.width), float(self.height))

    def to_dict(self) -> dict[str, float]:
        """Return everything but the picture, for a renderer in another language."""
        return {
            "width": self.width,
            "height": self.height,
            "columns": self.columns,
            "frames": self.frames,
            "rate": self.rate,
        }


def film_names() -> tuple[str, ...]:
    """Return the films that are shipped."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def is_film_file(name: object) -> bool:
    """Return whether a film is a file of one's own: none that is shipped, and no address."""
    return isinstance(name, str) and "://" not in name and name not in film_names() and bool(Path(name).suffix)


@lru_cache(maxsize=8)
def load_film(name: str) -> FilmSheet:
    """Return a shipped film, or one of a clinic's own.

    Parameters
    ----------
    name : str
        One of `film_names`, or the path of an animated GIF, WebP or PNG.

    Raises
    ------
    DataError
        If there is no such film, or it cannot be read.
    """
    if name in film_names():
        about = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        return FilmSheet(png=(FOLDER / f"{name}.png").read_bytes(), **about)
    path = Path(name)
    if path.suffix.lower() not in ANIMATED:
        shipped = ", ".join(film_names())
        raise DataError(
            f"film {name!r} is none of the shipped ones ({shipped}) and no animated GIF, WebP or PNG. A video becomes "
            f"one with: ffmpeg -i {path.name or 'film.mp4'} -vf fps=25,scale=480:-1 -loop 0 film.webp"
        )
    if not path.is_file():
        raise DataError(f"film {name!r}: there is no such file.")
    return _convert(path)


def _convert(path: Path) -> FilmSheet:
    from PIL import Image, ImageSequence

    try:
        with Image.open(path) as film:
            frames = []
            total = 0.0
            for number, frame in enumerate(ImageSequence.Iterator(film)):
                if number >= MOST_FRAMES:
                    raise DataError(f"film {str(path)!r} has more than {MOST_FRAMES} pictures; make it shorter.")
                frames.append(frame.convert("RGB").resize((WIDE, HIGH)))
                stated = float(frame.info.get("duration") or 0)
                total += (stated if stated > SHORTEST_MS else UNSTATED_MS) / 1000
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - of a broken file Pillow raises whatever it stumbles over
        raise DataError(f"film {str(path)!r} cannot be read: {error}") from None
    columns = math.ceil(math.sqrt(len(frames)))
    sheet = Image.new("RGB", (columns * WIDE, math.ceil(len(frames) / columns) * HIGH))
    for number, frame in enumerate(frames):
        row, column = divmod(number, columns)
        sheet.paste(frame, (column * WIDE, row * HIGH))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return FilmSheet(out.getvalue(), WIDE, HIGH, columns, len(frames), len(frames) / total)
