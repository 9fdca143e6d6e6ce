"""What the device promises. `eeg_source` and `device_report` come with bcikit."""

import numpy as np
import pytest

from bcikit.acquisition import open_source
from bcikit.testing import SourceConformance


def test_stream_is_what_the_data_sheet_says(eeg_source):
    assert eeg_source.info.sfreq == 250
    assert eeg_source.info.unit == "uV"
    chunk = eeg_source.pull(timeout=5)
    assert chunk is not None
    assert np.isfinite(chunk.data).all()


def test_stream_goes_on_after_a_stop(eeg_source):
    assert eeg_source.pull(timeout=5) is not None
    eeg_source.stop()
    eeg_source.start()
    assert eeg_source.pull(timeout=5) is not None


def test_no_limit_is_broken(device_report):
    bad = ("FAIL", "ERROR", "UNEXPLAINED")
    broken = [outcome.test for outcome in device_report.outcomes if outcome.judgement.value in bad]
    assert not broken, f"see the report: {', '.join(broken)}"


@pytest.mark.parametrize("test", ["V-RATE", "V-LOSS"])
def test_timing_is_conclusive(device_report, test):
    outcome = device_report.outcome(test)
    assert outcome.judgement.value == "PASS", outcome.to_dict()


class TestContract(SourceConformance):
    """Everything that bcikit asks of a source."""

    @pytest.fixture(autouse=True)
    def _device(self, bcikit_source_address):
        self.address = bcikit_source_address

    def open(self):
        """Return the device, open and not started."""
        return open_source(self.address)
