"""The JSON API, version 1, for programs: `/api/v1`. It says and asks the same as the pages, through the same services.

How an endpoint is written: the caller is `me: given.Me`, known by a bearer token alone (401 without one); the body
arrives as bytes and is read by `reading.decode`, because Litestar's own reading is lenient; the answer is made by
`answers.answer`, which adds the ETag; errors are left to web/errors.py, which makes a problem of RFC 9457 of each. A
change is made inside `idempotency.once`, so that it may be sent again; a list comes page after page, through `paging`.
"""

from litestar import Router

from labshare.web.api import (
    approvals,
    blocking,
    booking_rules,
    bookings,
    exchanges,
    feeds,
    free_times,
    holds,
    instruments,
    notices,
    operators,
    projects,
    qualifications,
    qualified_people,
    series,
    trials,
    usage,
    waitlist,
)
from labshare.web.api.reading import LARGEST_BODY

router = Router(
    "/api/v1",
    route_handlers=[
        *instruments.HANDLERS,
        *usage.HANDLERS,
        *free_times.HANDLERS,
        *bookings.HANDLERS,
        *trials.HANDLERS,
        *holds.HANDLERS,
        *blocking.HANDLERS,
        *approvals.HANDLERS,
        *booking_rules.HANDLERS,
        *series.HANDLERS,
        *projects.HANDLERS,
        *feeds.HANDLERS,
        *waitlist.HANDLERS,
        *notices.HANDLERS,
        *qualifications.HANDLERS,
        *operators.HANDLERS,
        *qualified_people.HANDLERS,
        *exchanges.HANDLERS,
    ],
    request_max_body_size=LARGEST_BODY,
    include_in_schema=True,
)
