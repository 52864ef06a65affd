"""Write src/autogen/models/data/prices.json: what common models cost, with the date it was known.

    python scripts/build_prices.py [YYYY-MM-DD]

Reads the data that the installed `genai-prices` package carries (MIT licence); no network. The
table is small on purpose: whoever needs more installs the extra `prices`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import data
from genai_prices.types import TieredPrices

TARGET = Path(__file__).resolve().parents[1] / "src" / "autogen" / "models" / "data" / "prices.json"

# The first provider that names a model gives its price: makers before those who resell.
PROVIDERS = (
    "openai",
    "anthropic",
    "google",
    "mistral",
    "cohere",
    "deepseek",
    "x-ai",
    "groq",
    "cerebras",
)
# Priced by something else than tokens of text.
NOT_CHAT = re.compile(
    r"audio|dall|embed|image|imagen|live|moderation|ocr|realtime|rerank|transcribe|tts|veo|video|voxtral"
    r"|whisper|computer|davinci|curie|babbage|^ada|ft:|robotics|aqa|guard"
)


def names(model: Any) -> list[str]:
    """The ids that a model is called by exactly."""
    found = {model.id}
    for clause in [model.match, *getattr(model.match, "or_", [])]:
        equals = getattr(clause, "equals", None)
        if equals:
            found.add(equals)
    return sorted(found)


def prices_on(model: Any, date: dt.date) -> Any:
    """The prices in force on `date`, or None where they depend on the time of day."""
    if not isinstance(model.prices, list):
        return model.prices
    chosen = None
    for conditional in model.prices:
        start = getattr(conditional.constraint, "start_date", None)
        if conditional.constraint is not None and start is None:
            return None
        if start is None or start <= date:
            chosen = conditional.prices
    return chosen


def row(prices: Any) -> list[Any] | None:
    """[input, output, cached input] in US dollars per million tokens; then the tiers."""
    columns = [
        getattr(prices, name, None) for name in ("input_mtok", "output_mtok", "cache_read_mtok")
    ]
    if columns[0] is None or columns[1] is None:
        return None
    starts = sorted({t.start for c in columns if isinstance(c, TieredPrices) for t in c.tiers})

    def at(column: Any, start: int) -> float | None:
        if not isinstance(column, TieredPrices):
            return None if column is None else float(column)
        value = column.base
        for tier in column.tiers:
            if tier.start <= start:
                value = tier.price
        return float(value)

    base = [at(c, 0) for c in columns]
    tiers = [[start, *(at(c, start) for c in columns)] for start in starts]
    return [*base, *tiers]


def main() -> None:
    """Write the table."""
    date = dt.date.fromisoformat(sys.argv[1]) if sys.argv[1:] else dt.datetime.now(dt.UTC).date()
    table: dict[str, list[Any]] = {}
    by_id = {provider.id: provider for provider in data.providers}
    for provider_id in PROVIDERS:
        for model in by_id[provider_id].models:
            prices = prices_on(model, date)
            found = None if prices is None or NOT_CHAT.search(model.id) else row(prices)
            if found is None:
                continue
            for name in names(model):
                table.setdefault(name, found)
    head = {
        "source": f"genai-prices {version('genai-prices')}",
        "date": date.isoformat(),
        "unit": "USD per 1,000,000 tokens: input, output, cached input; then, for each higher "
        "tier, [above this many input tokens, input, output, cached input]",
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table)]
    text = json.dumps(head, indent=1)[:-2] + ',\n "models": {\n' + ",\n".join(lines) + "\n }\n}\n"
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {len(table)} models, {len(text)} bytes")


if __name__ == "__main__":
    main()
