"""No token, password or key of an address is kept or shown."""

import pytest

from bcikit.outputs.registry import open_output
from bcikit.signal import Address, ArgumentError, ConfigError, PluginError
from bcikit.signal.secrecy import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ws:0.0.0.0:9752?open=network&token=abc def'x&name=q", "ws:0.0.0.0:9752?open=network&token=***&name=q"),
        ("outputs.0: 'ws:h?token=abc' is none.", "outputs.0: 'ws:h?token=***' is none."),
        ("postgresql+psycopg://me:p@ss@host/db?sslmode=1", "postgresql+psycopg://me:***@host/db?sslmode=1"),
        ("postgresql://host/db?password=hunter2", "postgresql://host/db?password=***"),
        ("lsl:name=EEG?join=x:host?password=a%26rate=3", "lsl:name=EEG?join=x:host?password=***%26rate=3"),
        ("maker:host?api_key=1&secret=2&pin=3&rate=250", "maker:host?api_key=***&secret=***&pin=***&rate=250"),
        ("maker:key=1&rate=250", "maker:key=***&rate=250"),
        ("'key=value&key=value'", "'key=value&key=value'"),
        ("file:C:/token=5/x.edf", "file:C:/token=5/x.edf"),
        ("brainflow:cyton?serial_port=/dev/ttyUSB0", "brainflow:cyton?serial_port=/dev/ttyUSB0"),
    ],
)
def test_secrets_are_hidden_and_all_else_stays(text, shown):
    assert without_secrets(text) == shown
    assert without_secrets({"a": [text, 1, None]}) == {"a": [shown, 1, None]}


def test_no_error_tells_a_secret():
    for error in (
        ArgumentError("'ws:h?token=abc' is none"),
        PluginError("'ws:h?token=abc' is none"),
        ConfigError("x.toml", ["'ws:h?token=abc' is none"]),
    ):
        assert "abc" not in str(error)
        assert "token=***" in str(error)


def test_an_address_out_of_a_record_says_what_must_be_stated_again():
    with pytest.raises(ArgumentError, match=r"token .* was hidden .* State it again"):
        open_output(str(without_secrets("ws:127.0.0.1:0?token=0123456789abcdef")))
    Address.parse("ws:127.0.0.1:0").check_whole()
