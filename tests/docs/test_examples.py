"""Every Python example of the documentation runs as it stands, against a scripted model."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from autogen._durable.database import Database
from autogen.testing import LoopbackLLM

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = [
    pytest.param(page, block[1], id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")), 1)
]

DRAWN = """```python
from pathlib import Path
Path("chart.png").write_bytes(b"not really a picture")
print("saved")
```"""


@pytest.mark.wall
@pytest.mark.parametrize("page, example", EXAMPLES)
def test_example_runs(
    page: Path,
    example: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def model(request: object) -> str:
        return "Here it is.\n\nTERMINATE" if "exitcode" in request.last_text else DRAWN  # type: ignore[attr-defined]

    monkeypatch.chdir(tmp_path)
    with LoopbackLLM(model) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")
        exec(compile(example, str(page), "exec", dont_inherit=True), {"__name__": "__main__"})
    for database in list(Database._open.values()):
        # A process records runs in one database at a time, and an example need not close its own.
        database.close()
    # Its handler writes to what was stderr in this test, and that is closed after it.
    logging.getLogger("dbos").handlers.clear()
    _check_comments(example, capsys.readouterr().out)


def _check_comments(example: str, printed: str) -> None:
    """What an example says it prints, in a comment behind `print`, it prints."""
    for said in re.findall(r'^print\(.*\)\s+# (["\[{].*)$', example, re.MULTILINE):
        expected = said.strip('"').replace('"', "'")
        assert expected in printed, f"{expected!r} was not printed"


def test_the_readme_has_examples() -> None:
    assert any(param.values[0].name == "README.md" for param in EXAMPLES)


LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"")


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "AGENTS.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [a or b for a, b in LINK.findall(page.read_text(encoding="utf-8"))]
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []
