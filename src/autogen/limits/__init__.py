"""Limits: nothing spends more than it may, and nothing goes round in circles.

`base.py` is the port (amounts and the account that keeps them), `memory.py` the account of one
process, `budget.py` the `Budget`, `spending.py` what sets aside and settles, `loops.py` the
`LoopGuard`.
"""

from __future__ import annotations

from .budget import Budget
from .loops import LoopGuard

__all__ = ["Budget", "LoopGuard"]
