"""The API's documentation page: Swagger UI from our own files, nothing from elsewhere, started by api-docs.js.

Litestar's own page would carry an inline script, which our Content-Security-Policy refuses.
"""

from __future__ import annotations

from litestar import Response, Router, get

from labshare.web.api.schema import SCHEMA_URL
from labshare.web.rendering import Request, render


@get("/api", sync_to_thread=True)
def page(request: Request) -> Response[str]:
    return render(request, "api/page.html", schema_url=SCHEMA_URL)


router = Router("/", route_handlers=[page])
