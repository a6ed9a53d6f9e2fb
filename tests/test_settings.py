"""Settings come from the environment; one that is unknown or cannot be read stops the start with a clear line each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_type_hints

import pytest

from labshare.errors import Refusal
from labshare.i18n import LANGUAGES, Language, speaking
from labshare.sentences import sentences
from labshare.settings import Settings, SettingsError, load_settings, require_secret, variable_of

DOCUMENT = Path(__file__).parent.parent / "deploy" / "README.md"


def test_nothing_set_gives_the_defaults() -> None:
    assert load_settings({"PATH": "/bin"}) == Settings()


def test_each_value_is_read_as_its_type() -> None:
    settings = load_settings(
        {
            "LABSHARE_PORT": " 9000 ",
            "LABSHARE_DEMO": "true",
            "LABSHARE_LOCK_TIMEOUT_SECONDS": "2.5",
            "LABSHARE_DATABASE_URL": "postgresql://localhost/labshare",
        }
    )
    assert (settings.port, settings.demo, settings.lock_timeout_seconds) == (9000, True, 2.5)
    assert settings.database_url == "postgresql://localhost/labshare"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LABSHARE_PORT", "70000"),
        ("LABSHARE_PORT", ""),
        ("LABSHARE_DEMO", "perhaps"),
        ("LABSHARE_LOG_LEVEL", "loud"),
        ("LABSHARE_LOCK_TIMEOUT_SECONDS", "nan"),
        ("LABSHARE_SIGN_IN_HOURS", "0"),
        ("LABSHARE_HOST", ""),
    ],
)
def test_a_malformed_value_is_named_with_what_it_should_be(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught, speaking("en"):
        load_settings({variable: value})
    with speaking("en"):
        (line,) = sentences(caught.value)
    assert line.startswith(f"{variable} must be ")
    assert line.endswith(f", not “{value}”.")


def test_all_wrong_variables_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"LABSHARE_PROT": "1", "LABSHARE_PORT": "x", "LABSHARE_WORKER": "2"})
    found = [(refusal.code, refusal.params["variable"]) for refusal in caught.value.refusals]
    assert found == [
        ("setting_malformed", "LABSHARE_PORT"),
        ("setting_unknown", "LABSHARE_PROT"),
        ("setting_unknown", "LABSHARE_WORKER"),
    ]


def test_variables_of_the_test_run_are_not_settings() -> None:
    assert load_settings({"LABSHARE_TEST_POSTGRES_URL": "postgresql://"}) == Settings()


def test_a_short_secret_is_refused_and_never_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"LABSHARE_SECRET": "hunter2"})
    for language in LANGUAGES:
        with speaking(language):
            assert "hunter2" not in "".join(sentences(caught.value)) + str(caught.value)


def test_serving_needs_a_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        require_secret(Settings())
    assert caught.value.refusals[0].params == {"variable": "LABSHARE_SECRET"}
    assert require_secret(Settings(secret="s" * 32)) == "s" * 32


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_setting_should_be_is_said_in_both_languages(language: Language) -> None:
    for field in get_type_hints(Settings):
        error = SettingsError([Refusal(code="setting_malformed_unspoken", params={"variable": "X", "wanted": field})])
        with speaking(language):
            (line,) = sentences(error)
        assert line.split()[-1] != f"{field}.", f"locale/{language}/settings.po has no wanted.{field}"


def test_the_operators_table_names_every_setting_and_its_default() -> None:
    rows = re.findall(r"^\| `(LABSHARE_\w+)` \| ([^|]*) \|", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    defaults = {variable_of(field): getattr(Settings(), field) for field in get_type_hints(Settings)}
    assert {variable: told.strip().strip("`") for variable, told in rows} == {
        variable: _told(default) for variable, default in defaults.items()
    }


def _told(default: object) -> str:
    if default is None:
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)
