"""What every adapter of a port keeps to, as checks that users run on their own adapters too.

One module per port: `executor` for what runs code. None of them needs a test framework; where
pytest is used, `conformance_tests` makes tests of the checks.
"""

from __future__ import annotations

__all__: list[str] = []
