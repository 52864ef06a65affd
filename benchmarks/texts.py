"""What is said in the benchmarks; the same for everybody."""

from __future__ import annotations

import itertools

SYSTEM = "You are a careful engineer. Answer briefly and always propose the next step."
OPENING = "Please plan and carry out the migration of our billing service step by step."
_numbers = itertools.count(1)


def next_text() -> str:
    """What a model in the process answers; every text differs, as in a real conversation."""
    return f"Step {next(_numbers):07d}: understood. I have checked the last result, please go on."
