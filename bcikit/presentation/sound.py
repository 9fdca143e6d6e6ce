"""Tones and spoken words by what the system brings: no library, and no word of it where there is nothing."""

import atexit
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
def _place() -> Path:
    """Return the folder of this process's tones, which goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="bcikit-tones-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def tone(frequency: float, seconds: float) -> Path:
    """Return a WAV file of a tone that swells and fades in 10 ms, so that it does not click."""
    path = _place() / f"{frequency:g}-hz-{seconds:g}-s.wav"
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

    A player that ends with an error has sounded nothing (no sound card, no server of sound): it is tried once at the
    start, without a tone, and what it says is kept.

    Parameters
    ----------
    fallback : callable, optional
        Called where nothing plays, such as the toolkit's own beep; nobody knows whether that is heard.

    Attributes
    ----------
    why : str
        Why nothing is heard; empty where nothing speaks against it.
    """

    def __init__(self, fallback: Callable[[], None] | None = None) -> None:
        self._fallback = fallback
        self._speaking: subprocess.Popen[bytes] | None = None
        self.why = ""
        if platform.system() != "Windows":
            if player():
                self._start((*player(), str(tone(0.0, 0.02))))
            else:
                self.why = f"none of {', '.join(command[0] for command in _PLAYERS)} is installed"

    def play(self, frequency: float, seconds: float) -> bool:
        """Play a tone; return whether it can be heard."""
        path = tone(float(frequency), float(seconds))
        if platform.system() == "Windows":
            return _windows(path)
        if self.why:
            if self._fallback is not None:
                self._fallback()
            return False
        return self._start((*player(), str(path))) is not None

    def speak(self, text: str, language: str) -> bool:
        """Speak; return whether it can be heard."""
        name = speaker()
        if not name or not text or self.why:
            return False
        if self._speaking is not None and self._speaking.poll() is None:
            self._speaking.terminate()
        voice = "cmn" if language.startswith("zh") else "en"
        command = tuple(part.format(voice=voice, text=text) for part in _SPEAKERS[name])
        self._speaking = self._start(command)
        return self._speaking is not None

    def _start(self, command: tuple[str, ...]) -> "subprocess.Popen[bytes] | None":
        try:
            process = subprocess.Popen(  # noqa: S603 - a player of the list above
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except OSError as error:
            self.why = f"{command[0]} cannot be started: {error.strerror}"
            return None
        threading.Thread(target=self._reap, args=(process, command[0]), name="bcikit sound", daemon=True).start()
        return process

    def _reap(self, process: "subprocess.Popen[bytes]", name: str) -> None:
        try:
            _, said = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return
        # A word that a newer one ended (a signal: negative) is no fault of the player.
        if process.returncode > 0:
            lines = said.decode(errors="replace").strip().splitlines()
            self.why = f"{name}: {lines[0] if lines else process.returncode}"[:100]


def _windows(path: Path) -> bool:
    try:
        import winsound
    except ImportError:
        return False
    winsound.PlaySound(str(path), winsound.SND_FILENAME | winsound.SND_ASYNC)  # type: ignore[attr-defined,unused-ignore]
    return True
