"""Samples in a result are those of what was recorded, whatever clock the paradigm went by."""

from pathlib import Path

from bcikit.recording import read_session
from bcikit.session import Engine, shipped_config
from bcikit.session.config import PipelineSection
from bcikit.session.standstill import Standstill


def test_a_sample_is_mapped_by_the_standstill_that_was_before_it() -> None:
    still = Standstill()
    still.seen = 99
    assert still.stream_sample(50) == 50
    still.begin("backlog")
    still.end("backlog", 800)
    assert [still.stream_sample(sample) for sample in (99, 100, 300)] == [99, 800, 1000]
    still.seen = 299
    still.begin("stopped")
    still.end("stopped", 1500)
    assert [still.stream_sample(sample) for sample in (99, 100, 299, 300)] == [99, 800, 999, 1500]


def test_trials_of_a_result_lie_where_their_events_do(tmp_path: Path) -> None:
    """Behind a pipeline that resamples, the paradigm counts on a grid of its own."""
    settings = {"baseline": 0.0, "rounds": 1, "idle_share": 0.0}
    config = shipped_config("ssvep-menu", seed=1, settings=settings)
    steps = ({"step": "resample", "sfreq": 125.0}, *config.pipeline.steps)
    recording = config.recording.model_copy(update={"folder": str(tmp_path / "session")})
    config = config.model_copy(update={"pipeline": PipelineSection(steps=steps), "recording": recording})
    values = Engine(config).run().values
    session = read_session(tmp_path / "session")
    events, taken = session.events, session.recording
    begun = {event.data["trial"]: event.sample for event in events if event.name == "trial/start"}
    assert len(begun) == 4
    assert {row["trial"]: row["sample"] for row in values["trials"]} == begun
    # The time of an event is that of its sample, to half a sample of the source.
    times = {int(sample): float(time) for sample, time in zip(taken.samples, taken.times, strict=True)}
    planned = [event for event in events if event.source == "paradigm" and event.sample in times]
    assert len(planned) > 20
    assert max(abs(event.time - times[event.sample]) for event in planned) <= 0.5 / taken.info.sfreq + 1e-9
