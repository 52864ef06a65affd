"""Write docs/compatibility.md from the table of behaviours in tests/compat/areas.

    python scripts/build_compatibility.py [--check]

`--check` writes nothing and fails if the file is not what would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "compatibility.md"

HEAD = """\
# Compatibility with AutoGen 0.2

What programs written for AutoGen 0.2 can rely on here, behaviour by behaviour. "same" is what 0.2
does; "better" differs on purpose, and says why. Each row has at least one test that names its id.

`scripts/build_compatibility.py` writes this page from `tests/compat/areas/`; change it there.
"""


def page() -> str:
    """The whole page."""
    sys.path.insert(0, str(ROOT))
    from tests.compat.requirements import AREAS

    parts = [HEAD]
    for title, rows in AREAS.items():
        parts.append(f"\n## {title}\n\n| behaviour | compared with 0.2 | id |\n|---|---|---|\n")
        for row in rows:
            says, verdict = (text.replace("|", "\\|") for text in (row.says, row.verdict))
            parts.append(f"| {says} | {verdict} | `{row.id}` |\n")
    return "".join(parts)


def main() -> int:
    wanted = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"{PAGE.relative_to(ROOT)} is out of date; run scripts/build_compatibility.py.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
