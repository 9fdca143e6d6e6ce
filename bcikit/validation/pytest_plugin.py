"""Fixtures for makers of devices: ``pytest --bcikit-source=brainflow:synthetic``.

pytest loads this module in every project where bcikit is installed, so it imports nothing of bcikit until a fixture
is asked for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bcikit.acquisition import Source
    from bcikit.validation.run import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("bcikit", "test an EEG device with bcikit")
    group.addoption("--bcikit-source", metavar="ADDRESS", help="device to test, as 'brainflow:synthetic'")
    group.addoption("--bcikit-profile", metavar="NAME|FILE", default="", help="limits: a profile or a .toml file")
    group.addoption("--bcikit-out", metavar="DIR", default="", help="folder for report.html, result.json and raw data")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an empty address: a variable that is not set would skip every test, and the run would look good."""
    if config.getoption("--bcikit-source") == "":
        raise pytest.UsageError("--bcikit-source is empty; it must be an address, as brainflow:synthetic")


@pytest.fixture(scope="session")
def bcikit_source_address(request: pytest.FixtureRequest) -> str:
    """Return the address of the device; tests that need one are skipped without."""
    address = request.config.getoption("--bcikit-source")
    if not address:
        pytest.skip("no device: pytest --bcikit-source=ADDRESS")
    return str(address)


@pytest.fixture
def eeg_source(bcikit_source_address: str) -> Iterator["Source"]:
    """Give the device as a source that runs; it is closed after the test."""
    from bcikit.acquisition import open_source

    with open_source(bcikit_source_address) as source:
        yield source


@pytest.fixture(scope="session")
def device_report(
    bcikit_source_address: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Report":
    """Give the report of the bench on the device, made once a session."""
    from bcikit.validation.profile import Profile
    from bcikit.validation.run import default_profile, validate

    name = request.config.getoption("--bcikit-profile") or default_profile(bcikit_source_address)
    chosen = request.config.getoption("--bcikit-out")
    out = Path(chosen) if chosen else tmp_path_factory.mktemp("bcikit")
    return validate(bcikit_source_address, profile=Profile.load(name), out=out)
