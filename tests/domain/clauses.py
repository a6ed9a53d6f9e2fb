"""The preset with every clause that is no share rule, with the parties and the centre of the tests' house."""

from __future__ import annotations

from pathlib import Path

from labshare.domain.agreement_documents import Known, from_toml
from labshare.domain.agreements import Agreement

KNOWN = Known(
    organisation_ids=frozenset({"I-IMS", "O-A", "O-B"}),
    centre_ids=frozenset({"C-ONE"}),
    instrument_ids=frozenset({"N001", "N002"}),
)

_IDS = {"PRESET-VN": "PPP-ALL", "I-SHTPL": "I-IMS", "O-CHIP": "O-A", "O-MAT": "O-B", "C-SHSEM": "C-ONE"}
_PRESET = Path(__file__).parents[2] / "fixtures" / "agreements" / "presets" / "PRESET-VN.toml"


def _document() -> str:
    # The head explains the keys; tests that change the text look for the clauses themselves.
    text = _PRESET.read_text(encoding="utf-8").partition("\n\n")[2]
    for ours, theirs in _IDS.items():
        text = text.replace(ours, theirs)
    return text


DOCUMENT = _document()


def whole() -> Agreement:
    """The agreement of the document."""
    return from_toml(DOCUMENT)
