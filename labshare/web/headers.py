"""The security headers of every answer: no inline script or style, no other site, no frame, no guessing of types."""

from __future__ import annotations

from litestar.types import Message, Scope

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Pico draws a few signs of form fields as data: images.
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


# As they are sent.
_LINES = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


async def secure(message: Message, scope: Scope) -> None:
    """Add the headers to whatever is sent: pages, errors, files and the API alike. One that is there already stays."""
    if message["type"] == "http.response.start":
        sent = {name.lower() for name, _ in message["headers"]}
        message["headers"] = [*message["headers"], *(line for line in _LINES if line[0] not in sent)]
