"""From bytes to structs, strictly: every fault of shape with its JSON path, then every contradiction (validation.py).

Nothing here knows what a rule means. `msgspec` stops at the first fault, so a value that does not fit is taken apart
and its parts are tried one by one: whoever wrote the file sees all that is wrong at once.
"""

from __future__ import annotations

import json
import types
import typing
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, TypeVar, Union, cast

import msgspec

from labshare.scheduler.plan import Plan
from labshare.scheduler.problem import Problem, Request
from labshare.scheduler.validation import contradictions

T = TypeVar("T")


class Fault(NamedTuple):
    """What is wrong, and where: `path` is a JSON path from the root `$`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Malformed(ValueError):
    """The input is not what its format promises. `faults` is never empty."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


def parse(data: bytes) -> Problem:
    """Read a `labshare-problem/1` file.

    Raises:
        Malformed: with every fault of shape, or, when the shape is right, every contradiction.
    """
    problem = _read(data, Problem)
    faults = [Fault(path, message) for path, message in contradictions(problem)]
    if faults:
        raise Malformed(faults)
    return problem


def parse_plan(data: bytes) -> Plan:
    """Read a `labshare-plan/1` file. Raises `Malformed`; whether the plan is right is for `check.py` to say."""
    return _read(data, Plan)


class _NewRequests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    requests: tuple[Request, ...]


def parse_requests(data: bytes) -> tuple[Request, ...]:
    """Read requests to add to a problem: a list like a problem's `requests`, or an object that holds it by that name.

    Raises `Malformed` for faults of shape; whether the problem can take them is for `changes.py` to say.
    """
    raw = _decode(data)
    return _convert(cast("object", {"requests": raw}) if isinstance(raw, list) else raw, _NewRequests).requests


def _read(data: bytes, kind: type[T]) -> T:
    return _convert(_decode(data), kind)


def _decode(data: bytes) -> object:
    try:
        raw: object = msgspec.json.decode(data)
        repeated = list(_repeated(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed([Fault("$", f"not JSON ({error})")]) from error
    if repeated:
        raise Malformed(repeated)
    return raw


class _Object(dict[str, object]):
    """An object of the file with the keys that it names more than once: which of their values was meant?"""

    repeated: tuple[str, ...] = ()


def _repeated(data: bytes) -> Iterator[Fault]:
    """The paths of keys that stand twice in one object; most readers would keep one of the values without a word."""
    found: list[_Object] = []

    def read(pairs: list[tuple[str, object]]) -> _Object:
        made = _Object(pairs)
        if len(made) < len(pairs):
            made.repeated = tuple(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
            found.append(made)
        return made

    whole: object = json.loads(data, object_pairs_hook=read)
    return _paths_of_repeated(whole, "$") if found else iter(())


def _paths_of_repeated(part: object, path: str) -> Iterator[Fault]:
    if isinstance(part, _Object):
        yield from (Fault(f"{path}.{key}", "is stated more than once") for key in part.repeated)
        for key, inner in part.items():
            yield from _paths_of_repeated(inner, f"{path}.{key}")
    elif isinstance(part, list):
        for index, inner in enumerate(cast("list[object]", part)):
            yield from _paths_of_repeated(inner, f"{path}[{index}]")


def _convert(raw: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        raise Malformed(list(_faults(raw, kind, "$"))) from None


def _faults(raw: object, kind: Any, path: str) -> Iterator[Fault]:
    """The faults of the smallest parts that do not fit their type."""
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        parts = list(_faults_of_parts(raw, kind, path))
        yield from parts or [Fault(path, _plain(str(error)))]


def _faults_of_parts(raw: object, kind: Any, path: str) -> Iterator[Fault]:
    kind = _container(kind)
    if isinstance(raw, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _faults_of_struct(cast("dict[str, object]", raw), kind, path)
    elif isinstance(raw, dict) and typing.get_origin(kind) is dict:
        for key, value in cast("dict[str, object]", raw).items():
            yield from _faults(value, typing.get_args(kind)[1], f"{path}.{key}")
    elif isinstance(raw, list) and typing.get_origin(kind) is tuple:
        items = cast("list[object]", raw)
        kinds = typing.get_args(kind)
        kinds = kinds[:1] * len(items) if kinds[-1] is Ellipsis else kinds
        if len(kinds) == len(items):
            for index, (value, part) in enumerate(zip(items, kinds, strict=True)):
                yield from _faults(value, part, f"{path}[{index}]")


def _faults_of_struct(raw: dict[str, object], kind: type[msgspec.Struct], path: str) -> Iterator[Fault]:
    hints = typing.get_type_hints(kind, include_extras=True)
    yield from (Fault(f"{path}.{key}", "no such field") for key in raw if key not in hints)
    for field in msgspec.structs.fields(kind):
        if field.name in raw:
            yield from _faults(raw[field.name], hints[field.name], f"{path}.{field.name}")
        elif field.required:
            yield Fault(f"{path}.{field.name}", "is missing")


def _container(kind: Any) -> Any:
    """The struct, dict or tuple inside a description or a union with None."""
    if typing.get_origin(kind) is Annotated:
        return _container(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (Union, types.UnionType):
        plain = [part for part in typing.get_args(kind) if part not in (type(None), msgspec.UnsetType)]
        return _container(plain[0]) if len(plain) == 1 else kind
    return kind


def _plain(message: str) -> str:
    """`msgspec`'s sentence without the path it saw, which is relative to the part that was tried."""
    text = message.split(" - at `$", maxsplit=1)[0]
    return text[0].lower() + text[1:]
