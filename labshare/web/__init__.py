"""The pages. A handler parses, opens one transaction, calls one service and renders; it decides nothing itself.

How to write a page, in eleven lines:

1. One file per noun, `web/<noun>.py`, with `router = Router("/", route_handlers=[...])`; add the router to
   `labshare.app` and, when it has a place in the navigation, a line to `web/navigation.py`.
2. Handlers are plain functions with `sync_to_thread=True`. They may ask for `request: Request` and, by these names, for
   `database: given.Database`, `actor: given.Reader` (None when nobody is signed in), `me: given.Me` (answers 401 then),
   `now: given.Now` and `settings: given.Settings`; for `day: FromQuery[str]` and `booking_id: FromPath[UUID]`
   (litestar.params). Litestar warns about a parameter without such a mark, and in tests a warning is an error.
3. `with database.read() as db:` or `with database.write() as db:`, once, around one service call.
4. `return render(request, "noun/page.html", **context)`. For htmx, name the fragment that the page includes:
   `render(request, "noun/page.html", fragment="noun/_list.html", ...)`; one route, two renderings.
5. After a change: `return redirect(request, "/projects", notice="project_verified")`. It is 303 for a plain form and
   HX-Redirect for htmx; the notice (`notice.<code>` in both locale files) is shown once on the next page,
   with what it names: `redirect(..., notice="series_moved", count=3)`.
6. Do not catch LabShare's errors: web/errors.py turns each into a page, a fragment or a problem with its status. Catch
   `Refused` only to show the form again: `render(request, page, status=error.status, refusals=error.refusals, ...)`.
7. Forms: a msgspec Struct and `data: Form[ThatStruct]`; every form has `{{ csrf_input }}` and works without
   JavaScript. For a form sent by htmx, put `{{ ui.refusals_here("booking-refusals") }}` in it and
   `hx-headers='{"X-Refusals": "booking-refusals"}'` on it; errors then appear there instead of replacing the target.
8. Templates start with `{% extends "base.html" %}` and fill the blocks `title`, `breadcrumb`, `heading`, `lead`,
   `actions`, `content`; `main_class` may be `wide` (boards and desks); `styles` and `scripts` add files of a page:
   `<link rel="stylesheet" href="{{ static('calendar.css') }}">`, `<script src="{{ static('reports.js') }}" defer>`.
9. Always there in a template: `ui` (the macros of components/parts.html), `icon("calendar-days")`, `_()`,
   `{% trans %}`, `actor`, `language`, `path`, `csrf_input`, `may(actor, "book", centre=...)`, `word("state", x)`,
   `sentence(refusal)`, `named(thing)` (its name in the reader's language), `span(start, end)` and, as filters, the
   functions of labshare.formats: `{{ at | moment }}`, `{{ n | hours }}`, `{{ share | percent }}`, `{{ vnd | money }}`.
10. What waits for somebody goes to the home page: a function that returns a `Section` (web/sections.py), named in
   `PROVIDERS` of web/pages.py.
11. No `style=` and no inline script: the Content-Security-Policy refuses both. Geometry is SVG attributes or classes.
"""

from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render

__all__ = ["Form", "Request", "given", "redirect", "render"]
