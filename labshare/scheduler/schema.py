"""The JSON Schemas of the contract, made from the structs: what is read is what is published.

A schema says what a file may look like. What a problem must not contradict (validation.py) and what must hold of a plan
(check.py) no schema can say. `schemas/` holds the same bytes for readers without Python; a test compares them.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from labshare.scheduler.plan import Plan
from labshare.scheduler.problem import Problem

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Kind = Literal["problem", "plan"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STRUCTS: dict[Kind, type[msgspec.Struct]] = {"problem": Problem, "plan": Plan}


def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the format. Keys that it does not name are refused."""
    struct = STRUCTS[kind]
    return {"$schema": DIALECT, "title": f"labshare-{kind}/1", **msgspec.json.schema(struct)}


def encode_schema(kind: Kind) -> bytes:
    """The schema's file."""
    return msgspec.json.format(msgspec.json.encode(schema(kind)), indent=1) + b"\n"


def schema_file(kind: Kind) -> str:
    """The name of the schema's file in `schemas/`."""
    return f"{kind}.schema.json"
