import re
from pathlib import Path

from tests.support.hoaxes import CAUGHT


def test_the_documentation_lists_what_catches_each_hoax() -> None:
    page = Path(__file__).parents[3] / "docs" / "explanation" / "soundness.md"
    table = page.read_text().partition("## Who is caught by what")[2].partition("## ")[0]
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE))
    listed = {name: set(re.findall("`(.+?)`", rows[name])) for name in CAUGHT}
    assert listed == CAUGHT
