"""The server's settings from flags, variables and defaults."""

from typing import Any

import pytest

from karyo.errors import SettingsError
from karyo.web.settings import ServerSettings

KEY = "0123456789abcdef"


def test_a_flag_wins_over_its_variable_and_a_variable_over_the_default():
    environment = {
        "KARYO_PORT": "9000",
        "KARYO_HOST": "0.0.0.0",
        "KARYO_CORS_ORIGINS": "https://a.example, https://b.example:8443",
        "KARYO_METRICS": "no",
        "KARYO_REQUEST_TIMEOUT": "2.5",
        "KARYO_NETWORK_THREADS": "2",
        "KARYO_THREADS": " ",
        "KARYO_API_KEY": KEY,
    }
    found = ServerSettings.gather({"port": 9001, "host": None, "batch": None}, environment)
    assert found == ServerSettings(
        host="0.0.0.0",
        port=9001,
        cors_origins=("https://a.example", "https://b.example:8443"),
        metrics=False,
        request_timeout=2.5,
        network_threads=2,
        api_key=KEY,
    )
    assert ServerSettings.gather({}, {}) == ServerSettings()


def test_the_key_may_stand_in_a_file_and_is_never_shown(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n", encoding="ascii")
    for found in (
        ServerSettings.gather({"api_key_file": path}, {"KARYO_API_KEY": "x" * 20}),
        ServerSettings.gather({}, {"KARYO_API_KEY_FILE": str(path)}),
    ):
        assert found.api_key == KEY
        assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"KARYO_PORT": "http"}, "KARYO_PORT=http must be a whole number"),
        ({"KARYO_PORT": "70000"}, "port must be from 0 to 65,535"),
        ({"KARYO_METRICS": "perhaps"}, "KARYO_METRICS=perhaps must be true or false"),
        ({"KARYO_REQUEST_TIMEOUT": "nan"}, "request timeout must be from"),
        ({"KARYO_API_KEY": "short"}, "the API key must have 16"),
        ({"KARYO_API_KEY": "x" * 15 + " y"}, "the API key must have 16"),
        ({"KARYO_API_KEY_FILE": "nowhere/key"}, "cannot be read: No such file"),
        ({"KARYO_CORS_ORIGINS": "*"}, "an origin looks like"),
        ({"KARYO_CORS_ORIGINS": "https://a.example/page"}, "an origin looks like"),
        ({"KARYO_MAX_IMAGES": "600"}, "queue must hold"),
        ({"KARYO_MAX_PIXELS": "0"}, "max pixels must be from 1"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(environment: dict[str, str], said: str):
    with pytest.raises(SettingsError) as refusal:
        ServerSettings.gather({}, environment)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    if "short" in environment.values():
        assert "short" not in str(refusal.value), "a key is not repeated"


def test_a_file_that_is_no_text_is_no_key(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"\xff\xfe" * 20)
    flags: dict[str, Any] = {"api_key_file": path}
    with pytest.raises(SettingsError, match="plain characters"):
        ServerSettings.gather(flags, {})
