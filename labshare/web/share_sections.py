"""What the home page says of share rules: a partner's own, and for everybody who may read them those near their limit.

What must not live here: which figures a reader may see (services/entitlements.py).
"""

from __future__ import annotations

from datetime import datetime

from labshare import formats, i18n
from labshare.domain.agreements import Kind
from labshare.domain.entitlements import ShareState, Shown
from labshare.domain.people import Action, Actor, may_somewhere
from labshare.i18n import gettext
from labshare.services import Connection, entitlements, ledger_pages
from labshare.services.ledger_pages import Credit
from labshare.web.sections import Line, Section

PRESSING = frozenset({ShareState.NEAR, ShareState.OVER, ShareState.OUT_OF_REACH})


def shares(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """None for those who may read no agreement."""
    if not may_somewhere(actor, Action.READ_AGREEMENT):
        return None
    found = [
        each for each in entitlements.standings(db, actor, now, now) if each.state in PRESSING or _is_own(each, actor)
    ]
    return Section(
        title=gettext("Shares under agreements"),
        icon="scale",
        lines=tuple(_line(each) for each in found),
        more="/agreements",
        empty=gettext("No share is near its limit."),
    )


def credits(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For those who speak for a partner: time that a state order took, and until when its credit can be used (R14)."""
    if not actor.partner_ids:
        return None
    return Section(
        title=gettext("State orders took your time: use the credit"),
        icon="clock",
        lines=tuple(_credit(each) for each in ledger_pages.credits(db, actor, now)),
        more="/agreements",
        empty=gettext("No state order has taken your time."),
        urgent=True,
    )


def _credit(credit: Credit) -> Line:
    agreement, entry = credit.agreement, credit.entry
    values = {"time": formats.hours(credit.taken, 2), "order": entry.reference, "left": formats.hours(credit.left, 2)}
    until = formats.last_date(entry.until) if entry.until else ""
    return Line(
        href=f"/agreements/{agreement.id}/ledger",
        title=gettext("%(time)s taken for state order %(order)s, %(left)s of the credit left") % values,
        detail=f"{agreement.title_vi if i18n.language() == 'vi' else agreement.title_en} · "
        + gettext("until %(date)s") % {"date": until},
    )


def _is_own(shown: Shown, actor: Actor) -> bool:
    return bool(actor.partner_ids & set(shown.rule.who.organisation))


def _line(shown: Shown) -> Line:
    rule = shown.rule
    return Line(
        href=f"/agreements/{shown.agreement_id}#{rule.id}",
        title=rule.sentence_vi if i18n.language() == "vi" else rule.sentence_en,
        detail=_detail(shown),
        state=("share_state", shown.state.value),
    )


def _detail(shown: Shown) -> str:
    until = gettext("until %(date)s") % {"date": formats.last_date(shown.window.end)}
    if shown.measure is None:
        return until
    left = formats.hours(abs(shown.measure.slack))
    if shown.rule.kind is Kind.CAP:
        words = gettext("%(time)s left") if shown.measure.slack >= 0 else gettext("%(time)s over the limit")
    else:
        words = gettext("%(time)s above the floor") if shown.measure.slack >= 0 else gettext("%(time)s to go")
    return f"{words % {'time': left}} · {until}"
