"""The pages of agreements: the list, and one agreement in plain words with a bar for each rule.

What must not live here: which of its figures a reader may see (services/entitlements.py).
"""

from __future__ import annotations

from litestar import Response, Router, get
from litestar.params import FromPath

from labshare.services import entitlements
from labshare.web import given
from labshare.web.rendering import Request, render


@get("/agreements", sync_to_thread=True)
def list_agreements(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        lines, names = entitlements.agreements(db, me, now)
    return render(request, "agreements/page.html", lines=lines, names=names)


@get("/agreements/{agreement_id:str}", sync_to_thread=True)
def agreement(
    request: Request, database: given.Database, me: given.Me, now: given.Now, agreement_id: FromPath[str]
) -> Response[str]:
    with database.read() as db:
        page = entitlements.agreement(db, me, agreement_id, now)
    standings = page.line.standings
    by_rule = {rule.id: [each for each in standings if each.rule.id == rule.id] for rule in page.line.agreement.rules}
    # What no version has signed holds by a trial.
    signed = [rule for version in page.versions for rule in version.agreement.rules]
    new = [each for each in standings if each.rule.id not in by_rule and each.rule not in signed]
    return render(request, "agreements/agreement.html", page=page, by_rule=by_rule, signed=signed, new=new)


router = Router("/", route_handlers=[list_agreements, agreement])
