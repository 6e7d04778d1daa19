"""Settings: where they come from, which wins, and that every mistake is told in one line."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.server.settings import (
    ServerSettings,
    check_exposure,
    describe_settings,
    load_settings,
)
from qwen3_tts.server.settings_values import is_loopback, normal_origin

SECRET = "very-secret-key-0123456789"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith(("QWEN3_TTS_", "TTS_")):
            monkeypatch.delenv(name)


def refusal(**given: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        check_exposure(load_settings(**given))
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return message


def test_keyword_wins_over_environment_over_file_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "server.toml"
    file.write_text('port = 1\nhost = "localhost"\nmax_rows = 3\n')
    monkeypatch.setenv("QWEN3_TTS_PORT", "2")
    monkeypatch.setenv("QWEN3_TTS_HOST", "::1")
    settings = load_settings(port=3, config_file=file)
    assert (settings.port, settings.host, settings.max_rows) == (3, "::1", 3)
    assert settings.max_queue == 64


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server.toml").write_text("port = 17\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QWEN3_TTS_CONFIG_FILE", "~/server.toml")
    assert load_settings().port == 17


def test_shared_names_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_MODEL_ID", "some/model")
    monkeypatch.setenv("TTS_ENGINE", "fake")
    monkeypatch.setenv("TTS_SOMETHING_ELSE", "1")
    assert (load_settings().model, load_settings().engine) == ("some/model", "fake")
    monkeypatch.setenv("QWEN3_TTS_MODEL", "ours")
    assert load_settings().model == "ours"


def test_an_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_TTS_PORT", "")
    monkeypatch.setenv("QWEN3_TTS_API_KEYS", " ")
    assert load_settings() == ServerSettings()


def test_variables_of_our_test_tools_are_let_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_TTS_ORACLE", "x")
    monkeypatch.setenv("QWEN3_TTS_SOAK", "x")
    load_settings()


def test_the_switch_of_the_kernels_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_TTS_NATIVE", "0")
    load_settings()


def test_rounding_is_automatic_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().quantize == "auto"
    monkeypatch.setenv("QWEN3_TTS_QUANTIZE", "none")
    assert load_settings().quantize == "none"


def test_values_of_quantize_are_those_of_the_engine() -> None:
    """Written twice, as the engine's come with torch."""
    from typing import get_args

    from qwen3_tts.engine.device import QUANTIZE

    assert set(get_args(ServerSettings.model_fields["quantize"].annotation)) == set(QUANTIZE)


def test_lists_and_maps_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_TTS_API_KEYS", "aaaa, bbbb,")
    monkeypatch.setenv("QWEN3_TTS_CORS_ORIGINS", "https://A.example:443,http://b:81/")
    monkeypatch.setenv("QWEN3_TTS_OPENAI_VOICES", "alloy=ann, echo = bob")
    settings = load_settings()
    assert [key.get_secret_value() for key in settings.api_keys] == ["aaaa", "bbbb"]
    assert settings.cors_origins == ("https://a.example", "http://b:81")
    assert settings.openai_voices == {"alloy": "ann", "echo": "bob"}
    monkeypatch.setenv("QWEN3_TTS_OPENAI_VOICES", '{"alloy": "ann"}')
    assert load_settings().openai_voices == {"alloy": "ann"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"port": 70_000}, "`port` is 70000: should be less than or equal to 65535"),
        ({"port": True}, "`port` is True: should be a number"),
        ({"port": "80x"}, "`port` is '80x'"),
        ({"load": "later"}, "`load` is 'later': should be 'eager' or 'lazy'"),
        ({"request_timeout_s": 0}, "greater than 0"),
        ({"slow_reader_s": float("nan")}, "`slow_reader_s` is nan"),
        ({"slow_reader_s": float("inf")}, "`slow_reader_s` is inf"),
        ({"device": "cuda:x"}, "`device`"),
        ({"quantize": "int3"}, "`quantize` is 'int3': should be 'auto', 'none', 'int8' or 'int4'"),
        ({"model": ""}, "`model`"),
        ({"host": "a\nb"}, r"'a\nb'"),
        ({"prot": 1}, "did you mean `port`?"),
        ({"_env_file": "x"}, "unknown setting '_env_file'"),
        ({"config_file": "/no/such/file"}, "`config_file` is '/no/such/file': cannot be read"),
        ({"config_file": "/"}, "`config_file` is '/': cannot be read"),
        ({"config_file": "a\0b"}, "should be a path"),
        ({"voices_dir": "~no-such-user/x"}, "home folder"),
        ({"openai_voices": "alloy"}, "name=voice"),
        ({"openai_voices": "{"}, "JSON object"),
        ({"cors_origins": "https://a/path"}, "each should be like"),
        ({"cors_origins": "null"}, "each should be like"),
        ({"cors_origins": "*", "cors_credentials": True}, "cors_credentials"),
        ({"allowed_origins": "*"}, "any page"),
        ({"fetch_hosts": ["a b"]}, "name of a host"),
        ({"jwt_audience": "me"}, "`jwt_audience` needs"),
        ({"jwt_secret": "s" * 32, "jwt_jwks_url": "https://a/k"}, "one of"),
        ({"jwt_secret": "s" * 32, "jwt_algorithms": "RS256"}, "allowed are HS256"),
        ({"jwt_secret": "s" * 32, "jwt_algorithms": "none"}, "allowed are HS256"),
        ({"jwt_jwks_url": "https://a/k", "jwt_algorithms": "HS256"}, "allowed are RS256"),
        ({"jwt_jwks_url": "http://issuer.example/keys"}, "https"),
        ({"jwt_jwks_url": "file:///etc/passwd"}, "https"),
        ({"host": "0.0.0.0"}, "set api_keys"),
        ({"host": "0.0.0.0", "api_keys": "short"}, "shorter than 16"),
        ({"host": "example.com"}, "set api_keys"),
    ],
)
def test_mistakes_are_told_in_one_line(given: dict[str, Any], words: str) -> None:
    assert words in refusal(**given)


def test_all_mistakes_are_told_at_once() -> None:
    message = refusal(port=-1, load="x")
    assert "`port`" in message
    assert "`load`" in message


@pytest.mark.parametrize(
    "given",
    [
        {"api_keys": f"{SECRET} {SECRET}"},
        {"api_keys": [SECRET + "\n"]},
        {"api_keys": {SECRET: 1}},
        {"jwt_secret": SECRET},  # too short
        {"jwt_secret": "-----BEGIN PRIVATE KEY-----" + SECRET},
        {"jwt_jwks_url": f"https://user:{SECRET}@issuer.example/keys"},
    ],
)
def test_a_refusal_repeats_no_secret(given: dict[str, Any]) -> None:
    message = refusal(**given)
    assert SECRET not in message
    assert next(iter(given)) in message
    with pytest.raises(ValidationError) as caught:
        ServerSettings(**given)
    assert SECRET not in str(caught.value)


def test_a_misspelt_variable_is_refused_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_TTS_API_KEY", SECRET)
    message = refusal()
    assert "did you mean `QWEN3_TTS_API_KEYS`?" in message
    assert SECRET not in message


def test_a_variable_in_lower_case_is_not_silently_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("qwen3_tts_port", "1")
    assert "unknown setting 'qwen3_tts_port'" in refusal()


def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_TTS_MAX_ROWS", "0")
    assert "`max_rows` (QWEN3_TTS_MAX_ROWS) is '0'" in refusal()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"prot = 1", "did you mean `port`?"),
        (b"PORT = 1", "unknown setting 'PORT'"),
        (b"config_file = 'x'", "unknown setting 'config_file'"),
        (b"[server]\nport = 1", "unknown setting 'server'"),
        (b"port = ", "is not valid TOML"),
        (b"port = '\xff'", "is not UTF-8"),
        (b"port = -1", "`port` (in the file) is -1"),
    ],
)
def test_mistakes_of_the_file(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "server.toml"
    file.write_bytes(content)
    assert words in refusal(config_file=file)


def test_keys_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# ours\n\nfirst-key # of Ann\r\n  second#key\n")
    settings = load_settings(api_keys="zero", api_key_file=str(file))
    keys = [key.get_secret_value() for key in settings.all_keys()]
    assert keys == ["zero", "first-key", "second#key"]
    assert settings.needs_key
    file.unlink()
    with pytest.raises(InvalidRequest, match="api_key_file"):
        settings.all_keys()


@pytest.mark.parametrize("content", ["", "# none\n", f"{SECRET} {SECRET}\n", f"{SECRET}é\n"])
def test_a_bad_key_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    message = refusal(api_key_file=file)
    assert "`api_key_file`" in message
    assert SECRET not in message


def test_a_missing_or_huge_key_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(api_key_file=tmp_path / "none")
    (tmp_path / "huge").write_bytes(b"k\n" * 600_000)
    assert "at most" in refusal(api_key_file=tmp_path / "huge")


def test_secrets_are_not_shown() -> None:
    settings = load_settings(api_keys=SECRET, jwt_secret=SECRET * 2)
    for shown in (repr(settings), str(settings), str(describe_settings(settings))):
        assert SECRET not in shown
    assert settings.model_dump_json().find(SECRET) < 0


def test_home_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    settings = load_settings(voices_dir="~/voices", model="~/model")
    assert (settings.voices_dir, settings.model) == (Path("/home/ann/voices"), "/home/ann/model")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert load_settings().voices_dir == Path("/home/ann/.local/share/qwen3-tts/voices")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert load_settings().voices_dir == Path("/data/qwen3-tts/voices")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # to be ignored, says the standard
    assert load_settings().voices_dir == Path("/home/ann/.local/share/qwen3-tts/voices")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        ServerSettings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"host": "127.8.9.1"},
        {"host": "::1"},
        {"host": "LOCALHOST"},
        {"host": "0.0.0.0", "insecure": True},
        {"host": "0.0.0.0", "api_keys": "k" * 16},
        {"host": "0.0.0.0", "jwt_secret": "s" * 32},
    ],
)
def test_safe_exposure(given: dict[str, Any]) -> None:
    check_exposure(load_settings(**given))


@pytest.mark.parametrize("host", ["127.0.0.1.evil.example", "0.0.0.0", "::", "1270.0.1", "local"])
def test_what_only_looks_like_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_an_origin(text: str) -> None:
    normal = normal_origin(text)
    assert normal is None or normal_origin(normal) == normal


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=60))
def test_any_value_is_taken_or_told_in_one_line(text: str) -> None:
    for key in ("port", "host", "openai_voices", "cors_origins", "jwt_jwks_url", "device"):
        try:
            load_settings(**{key: text})
            message = ""
        except InvalidRequest as error:
            message = str(error)
        assert message.isprintable()


def test_keys_may_be_given_as_secrets() -> None:
    settings = load_settings(api_keys=[SecretStr("abc")])
    assert settings.api_keys[0].get_secret_value() == "abc"
