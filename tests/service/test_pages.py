"""The files of the page, and nothing beside them."""

import asyncio
from pathlib import Path

from service.clients import running
from temperfill.service.pages import PAGE, PAGE_TYPES


def test_page_is_served_with_types_and_nothing_beside_it(tmp_path: Path) -> None:
    page = tmp_path / "page"
    (page / "deep").mkdir(parents=True)
    kinds = {"index.html": "text/html", "a.js": "text/javascript", "a.css": "text/css", "deep/a.svg": "image/svg+xml"}
    for name in kinds:
        (page / name).write_text(name)
    (tmp_path / "secret.html").write_text("secret")
    (page / "notes.txt").write_text("secret")

    async def main() -> None:
        async with running(page=page) as (client, _):
            assert (await client.get("/")).text == "index.html"
            for name, kind in kinds.items():
                response = await client.get(f"/page/{name}")
                assert response.text == name
                assert response.headers["content-type"].split(";")[0] == kind
            for name in (
                "../secret.html",
                "..%2fsecret.html",
                "%2e%2e/secret.html",
                "notes.txt",
                "",
                "deep",
                "a%00.js",
            ):
                response = await client.get(f"/page/{name}")
                assert response.status_code == 404, name
                assert "secret" not in response.text
            (page / "out.html").symlink_to(tmp_path / "secret.html")
            assert (await client.get("/page/out.html")).status_code == 404

    asyncio.run(main())


def test_bundled_page_has_only_files_that_are_served() -> None:
    assert {path.suffix for path in PAGE.rglob("*") if path.is_file()} <= set(PAGE_TYPES)
