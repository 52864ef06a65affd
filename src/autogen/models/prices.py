"""What a call cost: by the entry's own price, else the shipped table, else `genai-prices`.

The table is `data/prices.json`, written by `scripts/build_prices.py` and dated. Unknown is None,
never 0.0; whoever needs a number in the 0.2 shape counts it as 0.0 and says so once per model.
"""

from __future__ import annotations

import functools
import json
import logging
import re
from pathlib import Path
from typing import Any

__all__ = ["cost_usd", "known_prices", "price_table", "warn_unpriced"]

logger = logging.getLogger("autogen")

_DATA = Path(__file__).parent / "data" / "prices.json"
_DATED = re.compile(r"-(20\d\d-?\d\d-?\d\d|latest)$")
_warned: set[str] = set()


@functools.cache
def price_table() -> dict[str, Any]:
    """The shipped table: `source`, `date`, `unit`, and `models` by name."""
    table: dict[str, Any] = json.loads(_DATA.read_text(encoding="utf-8"))
    return table


def known_prices() -> dict[str, tuple[float, float]]:
    """(prompt, completion) US dollars per 1,000 tokens by model, as AutoGen 0.2 has its table."""
    return {m: (r[0] / 1000, r[1] / 1000) for m, r in price_table()["models"].items()}


def cost_usd(
    model: str,
    *,
    prompt_tokens: int,
    completion_tokens: int,
    cached_prompt_tokens: int = 0,
    price: tuple[float, float] | None = None,
    base_url: str = "",
) -> float | None:
    """US dollars for one call; None where the price is not known.

    Args:
        model: As the provider reported it.
        prompt_tokens: Tokens sent, cached ones included.
        completion_tokens: Tokens received, reasoning included.
        cached_prompt_tokens: Those the provider bills at its cache price.
        price: (prompt, completion) US dollars per 1,000 tokens from the config entry; beats every
            table.
        base_url: Tells `genai-prices` whose price it is.
    """
    if price is not None:
        return (prompt_tokens * price[0] + completion_tokens * price[1]) / 1000
    row = _row(model)
    if row is None:
        return _from_genai_prices(
            model, base_url, prompt_tokens, completion_tokens, cached_prompt_tokens
        )
    per_input, per_output, per_cached = row[:3]
    for above, *tier in row[3:]:
        if prompt_tokens > above:
            per_input, per_output, per_cached = tier
    if per_cached is None:
        per_cached = per_input
    fresh = prompt_tokens - cached_prompt_tokens
    total: float = (
        fresh * per_input + cached_prompt_tokens * per_cached + completion_tokens * per_output
    )
    return total / 1_000_000


def warn_unpriced(model: str) -> None:
    """Say once per model and process that its price is not known."""
    if model not in _warned:
        _warned.add(model)
        logger.warning(
            "The price of model %r is not known, so its cost is shown as unknown and counts as 0; "
            "add 'price': [prompt, completion] in US dollars per 1,000 tokens to its config entry.",
            model,
        )


@functools.cache
def _row(model: str) -> list[Any] | None:
    models = price_table()["models"]
    name = model.strip().lower()
    short = name.rpartition("/")[2]
    for candidate in (model, name, short, _DATED.sub("", short)):
        if candidate in models:
            found: list[Any] = models[candidate]
            return found
    # Azure names its deployments without dots.
    return _dotless().get(_DATED.sub("", short))


@functools.cache
def _dotless() -> dict[str, list[Any]]:
    return {m.replace(".", ""): row for m, row in price_table()["models"].items() if "." in m}


@functools.cache
def _genai_prices() -> Any:
    try:
        import genai_prices
    except ImportError:
        return None
    return genai_prices


def _from_genai_prices(
    model: str, base_url: str, prompt_tokens: int, completion_tokens: int, cached: int
) -> float | None:
    library = _genai_prices()
    if library is None or not model:
        return None
    used = library.Usage(
        input_tokens=prompt_tokens, output_tokens=completion_tokens, cache_read_tokens=cached
    )
    for where in ({"provider_api_url": base_url},) if base_url else ():
        try:
            return float(library.calc_price(used, model, **where).total_price)
        except LookupError:
            pass
    try:
        return float(library.calc_price(used, model).total_price)
    except LookupError:
        return None
