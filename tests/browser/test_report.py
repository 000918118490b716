"""The page that `report --html` writes, as a browser shows it."""

from playwright.sync_api import Browser

from tests.support.project import Project, text


def test_a_number_is_on_one_line_beside_long_names(project: Project, chromium: Browser) -> None:
    """Else 11 is read as 1 and 1."""
    project.manifest(text("b" * 100), f"manifests/{'a' * 100}.toml")
    assert project.call("send").code == 0
    rows = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1110) "
        "INSERT INTO messages (key, run, manifest, message, recipient, transport, digest, status,"
        " attempts, changed_at) SELECT 'k' || i, run, manifest, message, recipient, transport,"
        " digest, 'failed', attempts, changed_at FROM n, messages"
    )
    project.execute(rows)
    project.call("report", "--html", "report.html")
    page = chromium.new_page(viewport={"width": 360, "height": 800})
    page.goto((project.folder / "report.html").as_uri())
    row = page.get_by_role("row").nth(1)
    assert row.get_by_role("cell").all_inner_texts() == ["1", "1110"]
    lines = [cell.evaluate(_LINES) for cell in row.get_by_role("cell").all()]
    assert lines == [1, 1]
    page.close()


_LINES = """cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getClientRects().length;
}"""
