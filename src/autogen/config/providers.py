"""Providers by `api_type`: where they live, where their key lies.

Most speak the OpenAI wire form; the others are reached through any-llm.

`api_type` is compared by its beginning, as AutoGen 0.2 does: "google_ai" is "google".
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError, UsageTypeError

__all__ = ["ANY_LLM", "AZURE", "OPENAI", "PROVIDERS", "Provider", "provider"]


@dataclass(frozen=True, slots=True)
class Provider:
    """A model service.

    Attributes:
        name: As `api_type` has it.
        base_url: None where there is no address that serves everybody.
        key_names: Environment variables that may hold its key, in this order.
        needs_key: Whether it refuses calls without one.
        schema_models: How the names of its models begin that take a JSON schema for their answer.
    """

    name: str
    base_url: str | None
    key_names: tuple[str, ...]
    needs_key: bool = True
    schema_models: tuple[str, ...] = ()


#: Source: OpenAI's guide to structured outputs, which came with gpt-4o and every model since.
_WITH_SCHEMA = ("gpt-4o", "gpt-4.1", "gpt-5", "o1", "o3", "o4")

OPENAI = Provider(
    "openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), schema_models=_WITH_SCHEMA
)
AZURE = Provider("azure", None, ("AZURE_OPENAI_API_KEY",), schema_models=_WITH_SCHEMA)

#: Source: published lists of OpenAI-compatible endpoints, read 2026-11; none of them was called.
PROVIDERS = (
    OPENAI,
    AZURE,
    Provider("anthropic", "https://api.anthropic.com/v1", ("ANTHROPIC_API_KEY",)),
    Provider("cerebras", "https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",)),
    Provider("cohere", "https://api.cohere.ai/compatibility/v1", ("COHERE_API_KEY", "CO_API_KEY")),
    Provider("deepseek", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",)),
    Provider("fireworks", "https://api.fireworks.ai/inference/v1", ("FIREWORKS_API_KEY",)),
    Provider(
        "google",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GOOGLE_GEMINI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
    Provider("groq", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",)),
    Provider("mistral", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",)),
    Provider("ollama", "http://localhost:11434/v1", (), needs_key=False),
    Provider("openrouter", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
    Provider("together", "https://api.together.xyz/v1", ("TOGETHER_API_KEY",)),
    Provider("xai", "https://api.x.ai/v1", ("XAI_API_KEY",)),
)
#: Scheme of the addresses that stand for a service reached through any-llm.
ANY_LLM = "anyllm"
#: Services without an OpenAI-compatible address, or with another one for each customer.
#: Source: the providers of any-llm-sdk 1.40 that are not in the list above.
_ANY_LLM_NAMES = frozenset(
    "atlascloud azureanthropic bedrock cascadia dashscope databricks deepinfra edenai github gmi "
    "huggingface inception kenari liner llama llamacpp llamafile lmstudio meta minimax moonshot "
    "mzai neosantara nebius otari perplexity portkey qiniu requesty sagemaker sambanova telnyx "
    "typesafe vertexai vertexaianthropic vllm voyage watsonx zai".split()
)

_ALIASES = {"open_ai": OPENAI, "gemini": next(p for p in PROVIDERS if p.name == "google")}
_BY_NAME = {p.name: p for p in PROVIDERS} | _ALIASES


def provider(api_type: str | None, *, base_url: str | None = None) -> Provider:
    """The provider that `api_type` names; OpenAI where it names none.

    Args:
        api_type: As in a config entry.
        base_url: Of the same entry. With one, a provider we know no address of is served as well.

    Raises:
        UsageError: Nobody known, and no `base_url` to go to.
    """
    if api_type is None:
        return OPENAI
    if not isinstance(api_type, str):
        raise UsageTypeError(f"api_type is {api_type!r}; it must be a string such as 'openai'.")
    name = api_type.strip().lower()
    found = _BY_NAME.get(name)
    if found is None and name in _ANY_LLM_NAMES and base_url is None:
        return Provider(name, f"{ANY_LLM}://{name}", (), needs_key=False)
    if found is None:
        found = next((p for p in _BY_NAME.values() if name.startswith(p.name)), None)
    if found is None and name and base_url is not None:
        found = Provider(name, base_url, (), needs_key=False)
    if found is None:
        known = ", ".join(repr(p.name) for p in PROVIDERS)
        raise UsageError(
            f"api_type {api_type!r} is not known; use one of {known}, a provider of any-llm such "
            "as 'bedrock', or give the 'base_url' of its OpenAI-compatible endpoint and leave "
            "api_type out."
        )
    return found
