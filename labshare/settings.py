"""The settings: one struct read from environment variables `LABSHARE_*` and from nowhere else.

deploy/README.md documents each in one table, and a test holds the two together. Sentences about a wrong setting stand
in `locale/<language>/settings.po`. What must not live here: a setting that nothing reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta

from labshare.errors import Param, Refusal, StartupError

PREFIX = "LABSHARE_"
# Variables of the test run, not of the product.
TEST_PREFIX = "LABSHARE_TEST_"
SECRET_LENGTH = 32
# Their values are never shown: an address of a database or a mail server may carry a password.
UNSPOKEN = frozenset({"secret", "database_url", "smtp_url"})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can choose. A field `port` is read from `LABSHARE_PORT`."""

    database_url: Annotated[str, Meta(min_length=1)] = "sqlite:///var/labshare.sqlite3"
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8000
    secret: Annotated[str, Meta(min_length=SECRET_LENGTH)] | None = None
    secure_cookies: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sign_in_hours: Annotated[int, Meta(ge=1, le=720)] = 12
    solve_seconds: Annotated[int, Meta(ge=1, le=86400)] = 60
    lock_timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = 2.0
    base_url: Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+/?$")] = "http://127.0.0.1:8000"
    smtp_url: Annotated[str, Meta(pattern=r"^(smtps?://\S+)?$")] = ""
    mail_from: Annotated[str, Meta(pattern=r"^[^\r\n]*[^\s@<>]+@[^\s@<>]+>?$")] = "labshare@localhost"
    one_core: bool = True
    demo: bool = False


class SettingsError(StartupError):
    """Settings that cannot be read: one refusal for each variable, `setting_unknown` or `setting_malformed`."""

    def __init__(self, refusals: list[Refusal]) -> None:
        self._refusals = tuple(refusals)
        super().__init__("settings")

    def _line(self) -> str:
        return "; ".join(f"{refusal.params['variable']}: {refusal.code}" for refusal in self._refusals)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return self._refusals


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises `SettingsError` that names every variable which is unknown or cannot be read."""
    given = {
        variable.removeprefix(PREFIX).lower(): text
        for variable, text in environ.items()
        if variable.startswith(PREFIX) and not variable.startswith(TEST_PREFIX)
    }
    kinds = get_type_hints(Settings, include_extras=True)
    wrong: list[Refusal] = []
    values: dict[str, object] = {}
    for field, text in sorted(given.items()):
        if field not in kinds:
            wrong.append(Refusal(code="setting_unknown", params={"variable": variable_of(field)}))
            continue
        try:
            values[field] = msgspec.convert(text.strip(), kinds[field], strict=False)
        except msgspec.ValidationError:
            wrong.append(_malformed(field, text))
    if wrong:
        raise SettingsError(wrong)
    return Settings(**values)  # pyright: ignore[reportArgumentType]  each value was converted to its field's type above


def require_secret(settings: Settings) -> str:
    """The secret, which serving needs and other commands do not. Raises `SettingsError` when it is not set."""
    if settings.secret is None:
        raise SettingsError([Refusal(code="setting_missing", params={"variable": variable_of("secret")})])
    return settings.secret


def variable_of(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def _malformed(field: str, text: str) -> Refusal:
    # `wanted` has a word of its own in the locale files: `wanted.port` is "a whole number from 1 to 65535".
    params: dict[str, Param] = {"variable": variable_of(field), "wanted": field}
    if field in UNSPOKEN:
        return Refusal(code="setting_malformed_unspoken", params=params)
    return Refusal(code="setting_malformed", params={**params, "value": text})
