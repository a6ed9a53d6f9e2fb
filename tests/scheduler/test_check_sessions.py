"""The list of what must hold of sessions; each fault is found in tests/scheduler/test_check.py."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from labshare.scheduler.check_sessions import OF_SESSIONS

FOLDER = Path(__file__).parents[2] / "labshare" / "scheduler"


def test_every_rule_of_the_contract_is_judged() -> None:
    assert [rule.__name__.strip("_") for rule in OF_SESSIONS] == [
        "once", "length", "open", "no_overlap", "changeover", "one_place_per_person", "operators", "groups",
        "campaigns", "frozen", "hard_rules",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["check", "check_case", "check_sessions"])
def test_the_checker_shares_no_code_with_the_solver(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    own = {module.removeprefix("labshare.scheduler.") for module in imported if module.startswith("labshare")}
    assert own <= {"problem", "plan", "check_case", "check_sessions"}
    assert not any("ortools" in module for module in imported)
