"""Every parser against damaged, swollen and impossible input: a value, or a `BciError` in words."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adversary.fuzzing import Findings, Target, attack, spoil
from tests.adversary.targets_files import file_targets
from tests.adversary.targets_words import word_targets

pytestmark = pytest.mark.requirement("SAF-096")


@pytest.fixture(scope="module")
def anchors(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BCIKIT_ANCHORS", str(tmp_path_factory.mktemp("anchors")))
        yield


@pytest.fixture(scope="module")
def words(tmp_path_factory, anchors) -> list[Target]:
    return list(word_targets(tmp_path_factory.mktemp("words")))


@pytest.fixture(scope="module")
def files(tmp_path_factory, anchors) -> list[Target]:
    return list(file_targets(tmp_path_factory.mktemp("files")))


def _attacked(targets: list[Target], seed: int, found: Findings) -> None:
    rng = random.Random(seed)
    target = rng.choice(targets)
    raw = spoil(rng, target)
    attack(target, raw, found, watch=seed % 8 == 0)
    assert not found.faults, (target.name, found.faults)


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)


@SETTINGS
@given(seed=st.integers(0, 2**32))
def test_messages_settings_and_records(words, seed):
    _attacked(words, seed, Findings())


@settings(SETTINGS, max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_recordings(files, seed):
    _attacked(files, seed, Findings())


def test_good_input_is_read(words, files):
    # Otherwise the fuzz would only ever reach the first check of a parser.
    for target in (*words, *files):
        good = 0
        for seed in target.seeds:
            found = Findings()
            attack(target, seed, found, watch=False)
            assert not found.faults, (target.name, found.faults)
            good += found.read
        assert good or target.name in ("control:signed-welcome",), target.name


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_for_minutes(words, files):
    for target in (*words, *files):
        found = Findings()
        rng = random.Random(4711)
        for number in range(400):
            attack(target, spoil(rng, target), found, watch=number % 20 == 0)
        assert not found.faults, (target.name, found.faults)
