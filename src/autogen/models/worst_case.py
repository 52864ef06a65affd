"""What a request to a model may cost at worst, before it is sent.

Input: a text never has more tokens than bytes, so the bytes of the request as it goes over the wire
are an upper bound. Where a model told how many tokens an earlier request had, and this one begins
with the same messages, the bound is that number and the bytes of what is new: much closer, and
still never too low. Output: the limit of the request, or else the largest that the budgets afford.

What no bound is known for (tools that run at the provider, files by reference) is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..errors import UsageError
from ..limits.base import Amounts, Ceiling
from .dialects.openai import encoded_messages, encoded_options
from .prices import cost_usd

__all__ = ["ModelClaim", "Seen", "claim_of", "limited"]

#: An answer cut shorter than this is of no use: the call is not made.
LEAST_OUTPUT = 256
#: The most tokens of one picture. Source: OpenAI's guide to images and vision, read 2026-11: 2,833
#: and 5,667 for each of at most 8 tiles for gpt-4o-mini, 85 and 170 for each tile for gpt-4o;
#: Anthropic's guide: at most 4,784.
_PICTURE = 5_000
_PICTURE_OF_MINI = 50_000
#: What providers add for tools beside the schemas. Source: Anthropic's guide to tool use, read
#: 2026-11: 346 to 530.
_FOR_TOOLS = 1_000
#: What the frame of a conversation takes beyond its messages.
_FRAME = 64

#: The most tokens of one answer, by how a model's name begins. Source: the pages of the models at
#: their providers, read 2026-11.
_MOST_OUTPUT: Final = (
    ("gpt-5", 128_000),
    ("gpt-4.1", 32_768),
    ("gpt-4o", 16_384),
    ("gpt-4-32k", 8_192),
    ("gpt-4", 4_096),
    ("gpt-3.5", 4_096),
    ("o1-mini", 65_536),
    ("o1-preview", 32_768),
    ("o1", 100_000),
    ("o3", 100_000),
    ("o4", 100_000),
    ("claude-3-5", 8_192),
    ("claude-3-7", 64_000),
    ("claude-3", 4_096),
    ("claude-opus-4", 32_000),
    ("claude", 64_000),
    ("gemini-2.5", 65_535),
    ("gemini-3", 65_535),
    ("deepseek-reasoner", 65_536),
)
_MOST_OUTPUT_ELSE = 8_192
#: Models that refuse the older name of the option.
_NEW_NAME: Final = ("gpt-5", "o1", "o3", "o4")
_OLD, _NEW = "max_tokens", "max_completion_tokens"

#: Parts of messages whose tokens are bounded by their bytes.
_BOUNDED_PARTS: Final = frozenset({"text", "image_url", "input_audio", "refusal"})
_BOUNDED_TOOLS: Final = frozenset({"function", "custom"})
#: Options that cost what no price list says.
_UNPRICED_OPTIONS: Final = (
    "web_search_options",
    "search_parameters",
    "plugins",
    "prediction",
    "audio",
)


class Seen(NamedTuple):
    """A request whose tokens a model told.

    Attributes:
        messages: Each as it went over the wire.
        options: Likewise.
        tokens: Of all of it.
    """

    messages: list[bytes]
    options: bytes
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaim:
    """A call of a model, as `limits.spending` sets it aside.

    Attributes:
        model: Its name.
        input_tokens: At most.
        input_nano_usd: For them; 0 where dollars are not limited.
        output_tokens: At most, for each answer.
        least_output: At least; `output_tokens` where the caller limits the answer.
        nano_usd_per_output: For each token.
        n: Answers asked for.
        option: What limits the answer, as this model calls it; None if the request has it already.
        seen: For a later request, once the tokens of this one are known.
    """

    model: str
    input_tokens: int
    input_nano_usd: int
    output_tokens: int
    least_output: int
    nano_usd_per_output: float
    n: int
    option: str | None
    seen: Seen

    @property
    def most(self) -> Amounts:
        """What it takes at worst."""
        return self._with(self.output_tokens)

    @property
    def least(self) -> Amounts:
        """What it must have."""
        return self._with(self.least_output)

    @property
    def what(self) -> str:
        """The call, for people."""
        return f"a call of {self.model!r}"

    @property
    def way_out(self) -> str:
        """What helps if it does not fit."""
        if self.option is None:
            return "Raise the budget, or lower the limit of the answer in the config entry."
        return (
            f"An answer needs room for at least {self.least_output} tokens. Raise the budget, or "
            "send less."
        )

    def within(self, room: Ceiling) -> Amounts | None:
        """The longest answer that `room` allows; None below the least."""
        output = self.output_tokens
        if room.tokens is not None:
            output = min(output, (room.tokens - self.input_tokens) // self.n)
        if room.nano_usd is not None and self.nano_usd_per_output:
            per_token = self.nano_usd_per_output * self.n
            output = min(output, int((room.nano_usd - self.input_nano_usd - 1) // per_token))
        return self._with(output) if output >= self.least_output else None

    def output_of(self, amounts: Amounts) -> int:
        """The longest answer that `amounts` stands for."""
        return (amounts.tokens - self.input_tokens) // self.n

    def _with(self, output: int) -> Amounts:
        output *= self.n
        return Amounts(
            nano_usd=self.input_nano_usd + math.ceil(output * self.nano_usd_per_output),
            tokens=self.input_tokens + output,
            steps=1,
        )


def claim_of(
    model: str,
    params: Mapping[str, Any],
    *,
    price: tuple[float, float] | None,
    base_url: str,
    is_openai: bool,
    in_dollars: bool,
    seen: Seen | None,
) -> ModelClaim:
    """What a request may cost at worst.

    Args:
        model: As the config entry names it.
        params: Messages (or prompt) and options of the request.
        price: Of the config entry, if it has one.
        base_url: Of the entry; tells whose price it is.
        is_openai: Whether OpenAI itself is asked.
        in_dollars: Whether a budget limits dollars.
        seen: An earlier request to the same model.

    Raises:
        UsageError: No bound is known for something in the request, or no price for the model.
    """
    messages: Sequence[Mapping[str, Any]] = params.get("messages") or [
        {"role": "user", "content": params.get("prompt")}
    ]
    options = {k: v for k, v in params.items() if k not in ("messages", "prompt", "model")}
    limits = {**options, **(options.get("extra_body") or {})}
    _check_bounded(limits)
    wire, shape = encoded_messages(messages), _shape(options)
    input_tokens = _input_tokens(messages, wire, shape, seen, model)
    n = limits.get("n") or 1
    given = max((limits.get(name) or 0 for name in (_OLD, _NEW)), default=0)
    if not (isinstance(n, int) and isinstance(given, int)):
        raise UsageError(
            f"n is {n!r} and max_tokens {given!r}; under a budget both must be whole numbers."
        )
    at_start, per_output = 0.0, 0.0
    if in_dollars:
        at_start, per_output = _rates(model, input_tokens, price, base_url)
    most = given or _most_output(model)
    return ModelClaim(
        model=model,
        input_tokens=input_tokens,
        input_nano_usd=math.ceil(at_start),
        output_tokens=most,
        least_output=given or min(LEAST_OUTPUT, most),
        nano_usd_per_output=per_output,
        n=n,
        option=None if given else _option(model, is_openai=is_openai),
        seen=Seen(wire, shape, 0),
    )


def limited(params: dict[str, Any], claim: ModelClaim, amounts: Amounts) -> dict[str, Any]:
    """`params` with a limit of the answer, where the caller gave none."""
    if claim.option is None:
        return params
    return {**params, claim.option: claim.output_of(amounts)}


def _shape(options: Mapping[str, Any]) -> bytes:
    try:
        return encoded_options(options)
    except UsageError:
        # A client of the user's own may take what JSON does not know.
        return json.dumps(options, default=repr, skipkeys=True).encode()


def _input_tokens(
    messages: Sequence[Mapping[str, Any]],
    wire: list[bytes],
    shape: bytes,
    seen: Seen | None,
    model: str,
) -> int:
    known = 0
    n_known = 0 if seen is None else _n_known(wire, seen)
    if seen is not None and n_known:
        known = seen.tokens
    more = _FRAME + sum(map(len, wire[n_known:]))
    for message in messages[n_known:]:
        if type(message.get("content")) is list:
            more += _for_parts(message["content"], model)
    if seen is None or not n_known or shape != seen.options:
        more += len(shape)
        if b'"tools"' in shape or b'"functions"' in shape:
            more += _FOR_TOOLS
    return known + more


def _n_known(wire: list[bytes], seen: Seen) -> int:
    """With how many messages of an earlier request this one begins: with all of them, or none.

    A summary leaves out the system message, and has no more tokens for that.
    """
    if seen.tokens:
        for known in (seen.messages, seen.messages[1:]):
            # The encodings are those that the messages keep, so this compares identities.
            if known and wire[: len(known)] == known:
                return len(known)
    return 0


def _check_bounded(options: Mapping[str, Any]) -> None:
    for name in _UNPRICED_OPTIONS:
        if options.get(name) is not None:
            raise UsageError(
                f"under a budget the option {name!r} can't be used: what it costs is not known "
                "before the call. Leave it out, or run without a limit of dollars and tokens."
            )
    for tool in options.get("tools") or ():
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind not in _BOUNDED_TOOLS:
            raise UsageError(
                f"under a budget the tool {kind!r} can't be used: it runs at the provider, for a "
                "fee that is not known before the call. Leave it out, or run without a limit of "
                "dollars and tokens."
            )


def _for_parts(parts: Sequence[Any], model: str) -> int:
    """What parts take beyond their bytes; less than 0 where pictures are inline."""
    more = 0
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind not in _BOUNDED_PARTS:
            raise UsageError(
                f"under a budget a message part of type {kind!r} can't be sent: how many tokens it "
                "has is not known before the call. Send its text, or run without a limit of "
                "dollars and tokens."
            )
        if kind == "image_url":
            picture = part.get("image_url")
            url = picture.get("url") if isinstance(picture, Mapping) else picture
            if isinstance(url, str) and url.startswith("data:"):
                more -= len(url)
            more += _PICTURE_OF_MINI if "4o-mini" in model.lower() else _PICTURE
    return more


def _rates(
    model: str, input_tokens: int, price: tuple[float, float] | None, base_url: str
) -> tuple[float, float]:
    """Billionths of a dollar for the input, and for each token of output."""
    if price is not None and not all(math.isfinite(one) and one >= 0 for one in price):
        raise UsageError(f"price is {price!r}; under a budget it must be 0 or more.")
    many = 1_000_000
    at_start, with_many = (
        cost_usd(
            model,
            prompt_tokens=input_tokens,
            completion_tokens=output,
            price=price,
            base_url=base_url,
        )
        for output in (0, many)
    )
    if at_start is None or with_many is None:
        raise UsageError(
            f"the price of {model!r} is not known, so a budget in dollars can't hold. Add 'price': "
            "[prompt, completion] in US dollars per 1,000 tokens to its config entry, install the "
            "newest prices with the 'prices' extra (pip install -e \".[prices]\" in a clone), or "
            "limit tokens instead."
        )
    return at_start * 1e9, (with_many - at_start) / many * 1e9


def _most_output(model: str) -> int:
    name = model.rpartition("/")[2].lower()
    return next((n for start, n in _MOST_OUTPUT if name.startswith(start)), _MOST_OUTPUT_ELSE)


def _option(model: str, *, is_openai: bool) -> str:
    return _NEW if is_openai or model.lower().startswith(_NEW_NAME) else _OLD
