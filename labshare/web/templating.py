"""The Jinja environment: which words, filters and signs a template may use without importing anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from labshare import formats, i18n, sentences
from labshare.domain.people import Action, Actor, may, may_somewhere

HERE = Path(__file__).parent
STATIC_DIRECTORY = HERE / "static"
ICON_DIRECTORY = STATIC_DIRECTORY / "vendor" / "lucide"

_FILTERS = ("clock", "counted", "date", "day", "duration", "end", "hours", "iso", "last_date", "long_weekday", "moment",
            "money", "number", "opening", "percent", "short_date", "weekday")  # fmt: skip


class Named(Protocol):
    """Anything of the registry: it has a name in each language."""

    @property
    def name_vi(self) -> str: ...
    @property
    def name_en(self) -> str: ...


@cache
def templates() -> Templates:
    """The templates of this process."""
    return Templates()


class Templates:
    """All templates, each compiled once, with the static files' version in their addresses."""

    def __init__(self) -> None:
        self.static_path = f"/static/{static_version(STATIC_DIRECTORY)}"
        self.environment = self._build()

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """The template as text. Raises jinja2.UndefinedError when it names what the context does not have."""
        return self.environment.get_template(name).render(context)

    def static(self, name: str) -> str:
        """The address of a file under static/; it changes with the files, so browsers may keep it for a year."""
        return f"{self.static_path}/{name}"

    def _build(self) -> Environment:
        environment = Environment(
            autoescape=True,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
            loader=FileSystemLoader(HERE / "templates"),
            lstrip_blocks=True,
            trim_blocks=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        # The i18n extension adds this method when it is loaded; its stubs do not say so.
        environment.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
        environment.filters.update({name: getattr(formats, name) for name in _FILTERS})
        # The stubs list only Jinja's own names as values.
        known = cast("dict[str, Any]", environment.globals)
        known.update(
            icon=icon,
            may=_may,
            may_somewhere=_may_somewhere,
            named=named,
            options=options,
            sentence=sentences.sentence,
            span=formats.span,
            static=self.static,
            word=i18n.word,
        )
        known["ui"] = environment.get_template("components/parts.html").module
        return environment


def named(thing: Named) -> str:
    """The name in the reader's language, or the other one where that is missing."""
    first, second = (thing.name_vi, thing.name_en) if i18n.language() == "vi" else (thing.name_en, thing.name_vi)
    return first or second


def options(values: Iterable[object], kind: str) -> list[tuple[object, str]]:
    """The values of an enumeration with their words, for ui.choice."""
    return [(value, i18n.word(kind, value)) for value in values]


def _may(actor: Actor | None, action: str, *, centre: str | None = None, organisation: str | None = None) -> bool:
    return may(actor, Action(action), centre=centre, organisation=organisation)


def _may_somewhere(actor: Actor | None, action: str) -> bool:
    return may_somewhere(actor, Action(action))


_icons: dict[str, Markup] = {}


def icon(name: str) -> Markup:
    """A sign, drawn in the colour of the text beside it and silent to screen readers: the text says what it means.

    Raises FileNotFoundError for one that frontend/parts.toml does not name.
    """
    if name not in _icons:
        drawing = (ICON_DIRECTORY / f"{name}.svg").read_text(encoding="utf-8")
        inside = " ".join(drawing[drawing.index("<svg") :].split())
        opened = inside.index(">") + 1
        _icons[name] = Markup(  # noqa: S704  the text is our own vendored file
            f'<svg class="icon" aria-hidden="true" width="20" height="20" viewBox="0 0 24 24" fill="none"'
            f' stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">{inside[opened:]}'
        )
    return _icons[name]


def static_version(directory: Path) -> str:
    """A short text that changes whenever a file below the directory does."""
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        digest.update(path.relative_to(directory).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
