"""Tones and spoken words by what the system brings: no library, and no word of it where there is nothing."""

import math
import platform
import shutil
import struct
import subprocess
import tempfile
import threading
import wave
from collections.abc import Callable
from functools import cache
from pathlib import Path

RATE = 22_050
_PLAYERS = (("pw-play",), ("paplay",), ("aplay", "-q"), ("afplay",))
_SPEAKERS = {
    "espeak-ng": ("espeak-ng", "-v", "{voice}", "--", "{text}"),
    "say": ("say", "--", "{text}"),
    "spd-say": ("spd-say", "--", "{text}"),
}
LONGEST = 20.0
"""Seconds after which a player that hangs is ended."""


@cache
def tone(frequency: float, seconds: float) -> Path:
    """Return a WAV file of a tone that swells and fades in 10 ms, so that it does not click."""
    path = Path(tempfile.mkdtemp(prefix="bcikit-tone-")) / "tone.wav"
    count = round(RATE * seconds)
    ramp = max(1, round(0.01 * RATE))
    samples = []
    for index in range(count):
        gain = min(1.0, index / ramp, (count - index) / ramp)
        samples.append(round(20_000 * gain * math.sin(2 * math.pi * frequency * index / RATE)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{count}h", *samples))
    return path


@cache
def player() -> tuple[str, ...]:
    """Return the command that plays a WAV file here; empty where there is none."""
    return next((command for command in _PLAYERS if shutil.which(command[0])), ())


@cache
def speaker() -> str:
    """Return the program that speaks here; empty where there is none."""
    return next((name for name in _SPEAKERS if shutil.which(name)), "")


class Sounds:
    """Plays tones and speaks, in the background, one after the other; a newer word ends an older one.

    Parameters
    ----------
    fallback : callable, optional
        Called where no player is found, such as the toolkit's own beep.
    """

    def __init__(self, fallback: Callable[[], None] | None = None) -> None:
        self._fallback = fallback
        self._speaking: subprocess.Popen[bytes] | None = None

    def play(self, frequency: float, seconds: float) -> bool:
        """Play a tone; return whether anything can be heard."""
        path = tone(float(frequency), float(seconds))
        if platform.system() == "Windows":
            return _windows(path)
        if not player():
            if self._fallback is not None:
                self._fallback()
            return self._fallback is not None
        _start((*player(), str(path)))
        return True

    def speak(self, text: str, language: str) -> bool:
        """Speak; return whether there is anything that speaks."""
        name = speaker()
        if not name or not text:
            return False
        if self._speaking is not None and self._speaking.poll() is None:
            self._speaking.terminate()
        voice = "cmn" if language.startswith("zh") else "en"
        command = tuple(part.format(voice=voice, text=text) for part in _SPEAKERS[name])
        self._speaking = _start(command)
        return self._speaking is not None


def _start(command: tuple[str, ...]) -> "subprocess.Popen[bytes] | None":
    try:
        process = subprocess.Popen(  # noqa: S603 - a player of the list above
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    threading.Thread(target=_reap, args=(process,), name="bcikit sound", daemon=True).start()
    return process


def _reap(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _windows(path: Path) -> bool:
    try:
        import winsound
    except ImportError:
        return False
    winsound.PlaySound(str(path), winsound.SND_FILENAME | winsound.SND_ASYNC)  # type: ignore[attr-defined,unused-ignore]
    return True
