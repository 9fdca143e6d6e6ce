"""Addresses: what is written is what is meant, for any name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcikit.acquisition import Address
from bcikit.signal import ArgumentError


@given(name=st.text(min_size=1), other=st.text(min_size=1))
def test_any_value_comes_back(name, other):
    address = Address("lsl", "", {"name": name, "source_id": other})
    assert Address.parse(str(address)) == address
    joined = Address("lsl", "", {"name": name, "join": str(address)})
    assert Address.parse(str(joined)) == joined


@pytest.mark.parametrize(
    ("text", "body", "options"),
    [
        ("lsl:EEG", "EEG", {}),
        ("lsl:name=EEG+EMG", "", {"name": "EEG+EMG"}),
        ("lsl:name=脑电 1", "", {"name": "脑电 1"}),
        ("lsl:name=EEG?markers=M", "", {"name": "EEG", "markers": "M"}),
        ("lsl:name=A&join=file:x.edf?speed=1", "", {"name": "A", "join": "file:x.edf?speed=1"}),
        ("brainflow:cyton?join=lsl:name=B%26unit=uV", "cyton", {"join": "lsl:name=B&unit=uV"}),
        ("file:a b+c=d.edf?speed=1", "a b+c=d.edf", {"speed": "1"}),
        ("LSL:name=x", "", {"name": "x"}),
    ],
)
def test_parts(text, body, options):
    parsed = Address.parse(text)
    assert (parsed.body, dict(parsed.options)) == (body, options)


@pytest.mark.parametrize("text", ["", "x", ":x", "a/b:c", "lsl:x?name", "lsl:name=a&b"])
def test_what_is_no_address(text):
    with pytest.raises(ArgumentError, match=r"address of a source|must be like"):
        Address.parse(text)
