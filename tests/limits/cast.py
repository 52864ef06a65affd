"""The agents of these tests: models with a price, and people."""

from __future__ import annotations

from typing import Any

from autogen import ConversableAgent
from autogen.testing import ScriptedModel

#: US dollars per 1,000 tokens: one token costs 0.00001 USD whichever way it goes.
PRICE = (0.01, 0.01)
CENTS_PER_TOKEN = 0.00001


def words(params: dict[str, Any]) -> str:
    """An answer of 20 words that no other answer says."""
    return f"{len(params['messages'])} " + "and " * 18 + "so"


def priced(model: ScriptedModel | None = None, **options: Any) -> dict[str, Any]:
    """An `llm_config` with a price and a limit of each answer."""
    model = ScriptedModel(words, keep=0) if model is None else model
    return model.config(**{"price": PRICE, "max_tokens": 50, **options})


def thinker(name: str, model: ScriptedModel | None = None, **options: Any) -> ConversableAgent:
    """An agent with a priced model that asks nobody."""
    return ConversableAgent(
        name, human_input_mode="NEVER", llm_config=priced(model, **options), silent=True
    )


def events_of(kind: str) -> tuple[list[dict[str, Any]], Any]:
    """A list, and a sink that fills it with the facts of events of one type."""
    found: list[dict[str, Any]] = []

    def sink(event: Any) -> None:
        if event.type == kind:
            found.append(event.data)

    return found, sink
