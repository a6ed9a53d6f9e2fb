"""The API's documentation page comes from our own files alone and obeys the strict policy."""

from __future__ import annotations

import re

from tests.web.conftest import Client


def test_the_page_names_only_files_of_ours_that_are_there(client: Client) -> None:
    answer = client.get("/api")
    assert answer.status_code == 200
    named = re.findall(r'(?:src|href|data-schema)="([^"]+)"', answer.text)
    assert any("swagger-ui-bundle.js" in url for url in named)
    assert "/api/v1/openapi.json" in named
    for url in named:
        assert url.startswith("/")
        assert client.get(url).status_code == 200, url


def test_the_page_carries_no_inline_script_or_style(client: Client) -> None:
    text = client.get("/api").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)
    assert "script-src 'self'" in client.get("/api").headers["content-security-policy"]
