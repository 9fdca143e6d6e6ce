from pathlib import Path

import pytest

from bcikit.decoding.registry import DECODERS

PAGES = Path(__file__).parents[2] / "docs" / "decoding"


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_has_a_page_with_paper_formula_and_limits(name):
    found = [page for page in PAGES.glob("*.md") if f"`{name}`" in page.read_text().split("## Paper")[0]]
    assert len(found) == 1
    text = found[0].read_text()
    for part in ("## Paper", "## Formula", "## Limits"):
        body = text.split(part)[1].split("\n## ")[0]
        assert len(body.split()) > 5


def test_the_overview_links_to_every_page():
    overview = (PAGES.parent / "decoding.md").read_text()
    for page in PAGES.glob("*.md"):
        assert f"decoding/{page.name}" in overview
