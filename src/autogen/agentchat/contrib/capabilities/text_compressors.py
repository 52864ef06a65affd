"""Making texts shorter without losing what they say: the port, and the one that is known."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ....errors import UsageError

__all__ = ["LLMLingua", "TextCompressor"]

_MODEL: Mapping[str, Any] = {
    "model_name": "microsoft/llmlingua-2-bert-base-multilingual-cased-meetingbank",
    "use_llmlingua2": True,
    "device_map": "cpu",
}


@runtime_checkable
class TextCompressor(Protocol):
    """Something that shortens texts."""

    def compress_text(self, text: str, **compression_params: Any) -> dict[str, Any]:
        """`{"compressed_prompt": text}`; with `origin_tokens`, `compressed_tokens` if it counts."""
        ...


class LLMLingua:
    """A `TextCompressor` that leaves out the words a small local model finds dispensable.

    The package `llmlingua` is not part of this one, and loads its model from the network when it is
    first used.

    Args:
        prompt_compressor_kwargs: For `llmlingua.PromptCompressor`; by default a multilingual model
            of LLMLingua-2 on the CPU.
        structured_compression: Texts mark with tags which parts may be shortened.

    Raises:
        UsageError: The package is not installed.
    """

    def __init__(
        self,
        prompt_compressor_kwargs: Mapping[str, Any] | None = None,
        structured_compression: bool = False,
    ):
        try:
            llmlingua = importlib.import_module("llmlingua")
        except ImportError as error:
            raise UsageError(
                "LLMLingua needs the package 'llmlingua': pip install llmlingua. Or give "
                "TextMessageCompressor a text_compressor of your own: any object with "
                "compress_text(text)."
            ) from error
        compressor = llmlingua.PromptCompressor(
            **(_MODEL if prompt_compressor_kwargs is None else prompt_compressor_kwargs)
        )
        self._compress = (
            compressor.structured_compress_prompt
            if structured_compression
            else compressor.compress_prompt
        )

    def compress_text(self, text: str, **compression_params: Any) -> dict[str, Any]:
        """What `llmlingua` makes of `text`."""
        made: dict[str, Any] = self._compress([text], **compression_params)
        return made
