"""Figures of the report, one function a kind of curve."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bcikit.reporting import data_url, figure
from bcikit.validation.results import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, BLUE, RED, GREY = "#1f2933", "#2563a8", "#b3261e", "#8894a0"


def figures(outcome: Outcome) -> list[tuple[str, str]]:
    """Return caption and PNG (as a data address) of each figure of an outcome."""
    shown = []
    for name, curve in outcome.curves.items():
        draw = _DRAW.get(name)
        if draw is not None:
            shown.append((_CAPTIONS[name], _picture(draw, curve)))
    return shown


def _picture(draw: "Callable[[Axes, Mapping[str, Any]], None]", curve: Mapping[str, Any]) -> str:
    made, (axes,) = figure(6.4, 3.2)
    draw(axes, curve)
    axes.tick_params(colors=INK, labelsize=8)
    return data_url(made)


def _label(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.grid(visible=True, color="#e4e8ec", linewidth=0.6)
    axes.set_axisbelow(True)


def _noise(axes: "Axes", curve: Mapping[str, Any]) -> None:
    for line in curve["nv"]:
        axes.loglog(curve["hz"], line, color=BLUE, alpha=0.5, linewidth=0.8)
    _label(axes, "Frequency (Hz)", "Noise density (nV/√Hz)")


def _gain(axes: "Axes", curve: Mapping[str, Any]) -> None:
    x = np.arange(len(curve["names"]))
    axes.errorbar(x, np.array(curve["gains"]), yerr=curve["uncertainty"], fmt="o", color=BLUE, ms=4, capsize=3)
    axes.axhline(1.0, color=GREY, linewidth=0.8)
    _channels(axes, curve["names"])
    _label(axes, "Channel", "Gain over nominal")


def _channels(axes: "Axes", names: list[str]) -> None:
    every = max(1, len(names) // 32)
    axes.set_xticks(np.arange(len(names))[::every], names[::every], rotation=60 if len(names) > 10 else 0)


def _linearity(axes: "Axes", curve: Mapping[str, Any]) -> None:
    for line in np.array(curve["deviation"]).T:
        axes.semilogx(curve["applied"], line, "o-", color=BLUE, alpha=0.5, linewidth=0.8, ms=3)
    _label(axes, "Applied amplitude (uV)", "Deviation (% of full scale)")


def _distortion(axes: "Axes", curve: Mapping[str, Any]) -> None:
    floor = min(-150.0, min(curve["db"]) - 10)
    axes.bar(curve["order"], np.array(curve["db"]) - floor, bottom=floor, color=BLUE, width=0.6)
    axes.set_xticks(curve["order"])
    _label(axes, f"Harmonic ({curve['name']})", "dB against the fundamental")


def _response(axes: "Axes", curve: Mapping[str, Any]) -> None:
    for line in curve["db"]:
        axes.semilogx(curve["hz"], line, "o-", color=BLUE, alpha=0.5, linewidth=0.8, ms=3)
    axes.axhline(-3.01, color=RED, linewidth=0.8, linestyle="--")
    _label(axes, "Frequency (Hz)", "Response against 5 Hz (dB)")


def _step(axes: "Axes", curve: Mapping[str, Any]) -> None:
    axes.plot(curve["ms"], curve["uv"], color=BLUE, linewidth=1)
    _label(axes, "Time in the period (ms)", "Mean of the channels (uV)")


def _cmrr(axes: "Axes", curve: Mapping[str, Any]) -> None:
    axes.bar(np.arange(len(curve["names"])), curve["db"], color=BLUE, width=0.6)
    axes.set_ylim(min(curve["db"]) - 10, max(curve["db"]) + 5)
    _channels(axes, curve["names"])
    _label(axes, "Channel", "Common-mode rejection (dB)")


def _crosstalk(axes: "Axes", curve: Mapping[str, Any]) -> None:
    matrix = np.array([[np.nan if v is None else v for v in line] for line in curve["db"]])
    image = axes.imshow(matrix, cmap="viridis", aspect="auto")
    names = curve["names"]
    every = max(1, len(names) // 16)
    axes.set_xticks(np.arange(len(names))[::every], names[::every], rotation=60 if len(names) > 10 else 0)
    axes.set_yticks(np.arange(len(matrix))[::every], names[: len(matrix)][::every])
    axes.set_xlabel("Idle channel", fontsize=9)
    axes.set_ylabel("Driven channel", fontsize=9)
    axes.figure.colorbar(image, ax=axes, label="dB")


def _skew(axes: "Axes", curve: Mapping[str, Any]) -> None:
    axes.plot(np.arange(len(curve["names"])), curve["ms"], "o", color=BLUE, ms=4)
    _channels(axes, curve["names"])
    _label(axes, "Channel", "Time against the first (ms)")


def _offset(axes: "Axes", curve: Mapping[str, Any]) -> None:
    for line in np.array(curve["change"]).T:
        axes.plot(curve["mv"], line, "o-", color=BLUE, alpha=0.5, linewidth=0.8, ms=3)
    for level in (-10, 10):
        axes.axhline(level, color=RED, linewidth=0.8, linestyle="--")
    axes.set_ylim(-30, 15)
    _label(axes, "Direct voltage (mV)", "Change of the gain (%)")


def _impedance(axes: "Axes", curve: Mapping[str, Any]) -> None:
    for line in np.array(curve["ratio"]).T:
        axes.semilogx(curve["ohms"], 100 * (line - 1), "o", color=BLUE, alpha=0.5, ms=4)
    _label(axes, "Resistor (ohm)", "Error (%)")


def _allan(axes: "Axes", curve: Mapping[str, Any]) -> None:
    axes.loglog(curve["tau"], curve["deviation"], "o-", color=BLUE, linewidth=1, ms=3)
    _label(axes, "Averaging time (s)", "Allan deviation")


def _histogram(axes: "Axes", curve: Mapping[str, Any], label: str) -> None:
    edges = np.array(curve["ms"])
    axes.bar(edges[:-1], curve["counts"], width=np.diff(edges), align="edge", color=BLUE)
    axes.set_yscale("log")
    _label(axes, label, "Count")


def _jitter(axes: "Axes", curve: Mapping[str, Any]) -> None:
    _histogram(axes, curve, "Time stamp minus line (ms)")


def _trigger(axes: "Axes", curve: Mapping[str, Any]) -> None:
    _histogram(axes, curve, "Pulse minus marker (ms)")


def _e2e(axes: "Axes", curve: Mapping[str, Any]) -> None:
    axes.hist(curve["ms"], bins=20, color=BLUE)
    _label(axes, "Burst to output (ms)", "Count")


def _drift(axes: "Axes", curve: Mapping[str, Any]) -> None:
    for line in curve["uv"]:
        axes.plot(curve["minutes"], line, color=BLUE, alpha=0.5, linewidth=0.8)
    _label(axes, "Minutes", "Mean of a second (uV)")


def _phantom(axes: "Axes", curve: Mapping[str, Any]) -> None:
    axes.plot(curve["seconds"], curve["played"], color=GREY, linewidth=2, label="played")
    axes.plot(curve["seconds"], curve["measured"], color=BLUE, linewidth=0.9, label="measured")
    axes.legend(fontsize=8, frameon=False)
    _label(axes, "Seconds", "1 to 20 Hz (uV)")


def _known(axes: "Axes", curve: Mapping[str, Any]) -> None:
    x = np.arange(len(curve["names"]))
    for key, mark, colour in (("rms", "o", BLUE), ("dc", "x", RED)):
        error = 100 * (np.array(curve[key]) / np.array(curve["expected"][key]) - 1)
        axes.plot(x, error, mark, color=colour, ms=5, label={"rms": "rms of the sine", "dc": "direct part"}[key])
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.legend(fontsize=8, frameon=False)
    _channels(axes, curve["names"])
    _label(axes, "Channel", "Against the documented value (%)")


_DRAW: "dict[str, Callable[[Axes, Mapping[str, Any]], None]]" = {
    "noise": _noise,
    "gain": _gain,
    "linearity": _linearity,
    "distortion": _distortion,
    "response": _response,
    "step": _step,
    "cmrr": _cmrr,
    "crosstalk": _crosstalk,
    "skew": _skew,
    "offset": _offset,
    "impedance": _impedance,
    "allan": _allan,
    "jitter": _jitter,
    "trigger": _trigger,
    "e2e": _e2e,
    "drift": _drift,
    "phantom": _phantom,
    "known": _known,
}
_CAPTIONS = {
    "noise": "Noise with shorted inputs, a line a channel",
    "gain": "Gain of each channel with its expanded uncertainty",
    "linearity": "Deviation from the straight line",
    "distortion": "Harmonics of the worst channel",
    "response": "Frequency response, a line a channel; dashed: -3 dB",
    "step": "Mean period of the square wave",
    "cmrr": "Common-mode rejection of each channel",
    "crosstalk": "Crosstalk matrix",
    "skew": "Sampling time of each channel",
    "offset": "Gain under a direct voltage; dashed: the limits of 10 %",
    "impedance": "Error of the impedance reading, a point a channel",
    "allan": "Allan deviation of the time stamps",
    "jitter": "Time stamps about their line",
    "trigger": "Delay of each pulse",
    "e2e": "Answer of the loop",
    "drift": "Electrode pair over time",
    "phantom": "Phantom: three seconds of the worst channel",
    "known": "Test signal against its documentation",
}
