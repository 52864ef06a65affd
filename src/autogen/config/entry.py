"""One entry of a config list, merged with the top level and sorted into what its keys are for.

Keys are client options (where and how to call), own options (what this package does around the
call), or request options (everything else: it goes to the model). Nothing is copied deeply and
nothing is called: 1,000 agents are made before the first of them speaks.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from ..errors import AuthenticationError, UsageError, UsageTypeError
from ..models.base import Endpoint
from .providers import ANY_LLM, AZURE, OPENAI, Provider, provider

__all__ = ["CLIENT_OPTIONS", "DEFAULT_AZURE_API_VERSION", "OWN_OPTIONS", "Entry", "parse_entries"]

logger = logging.getLogger("autogen")

DEFAULT_AZURE_API_VERSION = "2024-02-01"
_DEFAULT_TIMEOUT_S = 600.0
_DEFAULT_RETRIES = 2

#: Keys that say where and how to call.
CLIENT_OPTIONS = frozenset(
    {
        "api_key",
        "api_type",
        "api_version",
        "azure_ad_token",
        "azure_ad_token_provider",
        "azure_deployment",
        "azure_endpoint",
        "base_url",
        "default_headers",
        "default_query",
        "http_client",
        "max_retries",
        "organization",
        "project",
        "timeout",
    }
)
#: Keys that say what happens around the call; they never reach a model.
OWN_OPTIONS = frozenset(
    {
        "agent",
        "allow_format_str_template",
        "api_rate_limit",
        "cache",
        "cache_seed",
        "choices",
        "context",
        "filter_func",
        "on_usage",
        "price",
        "tags",
        "takes_schema",
    }
)
_CONSTRUCTION_ONLY = frozenset({"config_list", "model_client"})

#: Keys by their letters alone: "apiKey" and "api-key" are read as a slip for "api_key".
_BY_LETTERS = {
    key.replace("_", ""): key
    for key in (*CLIENT_OPTIONS, *OWN_OPTIONS, "config_list", "model", "model_client_cls")
}
#: What keys were called before AutoGen 0.2.
_OLD_NAMES = {"api_base": "base_url", "request_timeout": "timeout"}


class Entry:
    """A parsed entry.

    Attributes:
        index: Place in the config list.
        config: The entry as the user wrote it; with no config list, the top level.
        options: Request options, the entry's over the top level's.
        own: Own options, merged likewise.
        client_options: Client options, merged likewise.
        price: (prompt, completion) US dollars per 1,000 tokens, or None.
        requests_per_s: `api_rate_limit`, or None.
        client_name: `model_client_cls`, or None.
        client: The user's own client once there is one; `model_client` from the start.
    """

    __slots__ = (
        "_endpoints",
        "client",
        "client_name",
        "client_options",
        "config",
        "index",
        "options",
        "own",
        "price",
        "requests_per_s",
    )

    def __init__(self, index: int, config: dict[str, Any], merged: Mapping[str, Any]):
        self.index = index
        self.config = config
        self.options: dict[str, Any] = {}
        self.own: dict[str, Any] = {}
        self.client_options: dict[str, Any] = {}
        for key, value in merged.items():
            if key in OWN_OPTIONS:
                if value is not None:
                    self.own[key] = value
            elif key in CLIENT_OPTIONS:
                if value is not None:
                    self.client_options[key] = value
            elif key not in _CONSTRUCTION_ONLY:
                self.options[key] = value
        self.price = _price(self.own["price"]) if "price" in self.own else None
        self.requests_per_s = (
            _rate(self.own["api_rate_limit"]) if "api_rate_limit" in self.own else None
        )
        self.client_name: str | None = self.options.get("model_client_cls")
        self.client: Any = merged.get("model_client")
        self._endpoints: dict[str, Endpoint] | None = None
        if self.client is None and self.client_name is None:
            _check_spelling(index, self.options)
            if "api_type" in self.client_options:
                self.provider()

    @property
    def model(self) -> str:
        """The model this entry names; "" for none."""
        model: str = self.options.get("model") or self.client_options.get("azure_deployment") or ""
        return model

    @property
    def timeout_s(self) -> float:
        """Seconds for one attempt."""
        return _timeout_s(self.client_options.get("timeout"))

    @property
    def max_retries(self) -> int:
        """Attempts after the first."""
        return _retries(self.client_options.get("max_retries"))

    def changed(self, given: Mapping[str, Any]) -> Entry:
        """This entry with own and client options that came with a call."""
        merged = {**self.options, **self.own, **self.client_options, **given}
        return Entry(self.index, self.config, {**merged, "model_client": self.client})

    @property
    def is_unregistered(self) -> bool:
        """Whether it names a client class that has not been registered."""
        return self.client is None and self.client_name is not None

    def provider(self) -> Provider:
        """Who serves this entry."""
        given = self.client_options
        return provider(
            given.get("api_type"), base_url=given.get("base_url") or given.get("azure_endpoint")
        )

    def endpoint(self, model: str) -> Endpoint:
        """Where to call `model`; looked up once, the environment included.

        Raises:
            AuthenticationError: No key for a provider that needs one.
            UsageError: No model, no address, or a client option that is not usable.
        """
        if self._endpoints is None:
            self._endpoints = {}
        found = self._endpoints.get(model)
        if found is None:
            found = self._endpoints[model] = _endpoint(self, model)
        return found

    def takes_schema(self, model: str) -> bool:
        """Whether `model` may be given a JSON schema for its answer.

        The entry's own `takes_schema` decides; without it the provider's list of models does, where
        the entry calls that provider itself and not some compatible server.
        """
        said = self.own.get("takes_schema")
        if said is not None:
            return bool(said)
        if self.client is not None or self.client_name is not None:
            return False
        is_itself = "base_url" not in self.client_options and not os.environ.get("OPENAI_BASE_URL")
        provider = self.provider()
        return (is_itself or provider.base_url is None) and model.startswith(provider.schema_models)

    def __repr__(self) -> str:
        return f"Entry({self.index}, model={self.model!r}, {self.where})"

    @property
    def where(self) -> str:
        """Who answers, for people: a host, or the name of a client class."""
        if self.client is not None or self.client_name is not None:
            name: str = getattr(self.client, "name", type(self.client).__name__)
            return self.client_name or name
        given = self.client_options
        url = given.get("base_url") or given.get("azure_endpoint") or self.provider().base_url
        return urlsplit(str(url)).hostname or "azure"


def parse_entries(
    config_list: Sequence[Mapping[str, Any]] | None, base: Mapping[str, Any]
) -> list[Entry]:
    """The entries of a config list, each merged over the top level.

    Args:
        config_list: As the user wrote it; empty for one entry made of `base`. Not changed, copied
            one level deep.
        base: Everything beside `config_list`.

    Raises:
        UsageError: An entry or one of its options is not usable.
    """
    if not config_list:
        return [Entry(0, dict(base), base)]
    if isinstance(config_list, Mapping | str):
        raise UsageTypeError(
            f"config_list is a {type(config_list).__name__}; it must be a list of dicts."
        )
    entries = []
    for index, config in enumerate(config_list):
        if not isinstance(config, Mapping):
            raise UsageTypeError(
                f"config_list[{index}] is a {type(config).__name__}; it must be a dict such as "
                "{'model': 'gpt-4o', 'api_key': '...'}."
            )
        entries.append(Entry(index, dict(config), {**base, **config}))
    return entries


def _check_spelling(index: int, options: Mapping[str, Any]) -> None:
    """Refuse what would go to the model, a key perhaps, where it says how to call one."""
    for key in options:
        text = str(key)
        meant = _OLD_NAMES.get(text)
        if meant is None and text != "model":
            meant = _BY_LETTERS.get(text.replace("_", "").replace("-", "").lower())
        if meant is not None:
            raise UsageError(
                f"config entry {index} has {text!r}, which is no option; write {meant!r}."
            )


def _price(value: Any) -> tuple[float, float]:
    pair = (value, value) if _is_number(value) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(map(_is_number, pair)):
        raise UsageError(
            f"price is {value!r}; give [prompt, completion] in US dollars per 1,000 tokens, "
            "or one number for both."
        )
    return float(pair[0]), float(pair[1])


def _rate(value: Any) -> float:
    if not _is_number(value) or not value > 0:
        raise UsageError(
            f"api_rate_limit is {value!r}; give a positive number of requests per second."
        )
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _endpoint(entry: Entry, model: str) -> Endpoint:
    given, service = entry.client_options, entry.provider()
    is_azure = service.name == AZURE.name
    if is_azure:
        model = given.get("azure_deployment") or model.replace(".", "")
    if not model:
        raise UsageError(
            f"config entry {entry.index} names no model; add 'model' to it or to the call."
        )
    token_provider = _token_provider(given) if is_azure else None
    base_url = _base_url(given, service)
    return Endpoint(
        model=model,
        api_key=_key(entry, service, base_url, has_token=token_provider is not None),
        base_url=base_url,
        api_type=_api_type(service, base_url),
        api_version=given.get("api_version")
        or (
            os.environ.get("OPENAI_API_VERSION") or DEFAULT_AZURE_API_VERSION if is_azure else None
        ),
        organization=given.get("organization") or (_organization() if service is OPENAI else None),
        timeout_s=_timeout_s(given.get("timeout")),
        max_retries=_retries(given.get("max_retries")),
        headers=_headers(given, service),
        azure_ad_token_provider=token_provider,
        price=entry.price,
        requests_per_s=entry.requests_per_s,
    )


def _api_type(service: Provider, base_url: str) -> str:
    """Which wire form, or which provider of any-llm, an endpoint speaks."""
    if service.name == AZURE.name or base_url.startswith(f"{ANY_LLM}:"):
        return service.name
    return OPENAI.name


def _organization() -> str | None:
    return os.environ.get("OPENAI_ORG_ID") or os.environ.get("OPENAI_ORGANIZATION") or None


def _base_url(given: Mapping[str, Any], service: Provider) -> str:
    url = given.get("base_url")
    if service.name == AZURE.name:
        url = given.get("azure_endpoint") or url or os.environ.get("AZURE_OPENAI_ENDPOINT")
    elif url is None and service is OPENAI:
        url = os.environ.get("OPENAI_BASE_URL") or service.base_url
    elif url is None:
        url = service.base_url
    if not url:
        raise UsageError(
            "an entry with api_type 'azure' names no endpoint; add 'base_url' to it, or set "
            "AZURE_OPENAI_ENDPOINT."
        )
    # httpx.URL and other URL types read well as text.
    text = str(url).strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", ANY_LLM) or not parts.hostname:
        raise UsageError(
            f"base_url {str(url)!r} is not an http or https address; "
            f"give one such as {OPENAI.base_url!r}."
        )
    return text


def _key(entry: Entry, service: Provider, base_url: str, *, has_token: bool) -> str | None:
    key = entry.client_options.get("api_key")
    if key is not None and not isinstance(key, str):
        raise UsageTypeError(f"api_key is a {type(key).__name__}; it must be a string.")
    if not key:
        key = next((v for name in service.key_names if (v := os.environ.get(name))), None)
    if key is not None:
        key = key.strip()
    if key or has_token:
        return key or None
    if service.needs_key and (service.name == AZURE.name or base_url == service.base_url):
        names = " or ".join(service.key_names)
        raise AuthenticationError(
            f"no API key for model {entry.model!r} at {urlsplit(base_url).hostname}; put 'api_key' "
            f"into its config entry or set the environment variable {names}.",
            provider=urlsplit(base_url).hostname or "",
        )
    return None


def _token_provider(given: Mapping[str, Any]) -> Callable[[], str] | None:
    token = given.get("azure_ad_token") or os.environ.get("AZURE_OPENAI_AD_TOKEN")
    giver = given.get("azure_ad_token_provider")
    if giver is None:
        return None if not token or given.get("api_key") else lambda: token
    if callable(giver):
        made: Callable[[], str] = giver
        return made
    if giver != "DEFAULT":
        raise UsageError(
            "azure_ad_token_provider must be a function that gives a token, or 'DEFAULT'."
        )
    try:
        identity: Any = import_module("azure.identity")
    except ImportError as error:
        raise UsageError(
            "azure_ad_token_provider 'DEFAULT' needs the azure-identity package: "
            "pip install azure-identity"
        ) from error
    scope = "https://cognitiveservices.azure.com/.default"
    default: Callable[[], str] = identity.get_bearer_token_provider(
        identity.DefaultAzureCredential(), scope
    )
    return default


def _timeout_s(value: Any) -> float:
    if value is None:
        return _DEFAULT_TIMEOUT_S
    if not _is_number(value):
        # Timeout objects of HTTP libraries have a field for reading.
        value = getattr(value, "read", None) or value
    if not _is_number(value) or not value > 0:
        raise UsageError(
            f"timeout is {value!r}; give a positive number of seconds for one attempt."
        )
    return float(value)


def _retries(value: Any) -> int:
    if value is None:
        return _DEFAULT_RETRIES
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"max_retries is {value!r}; give a whole number, 0 for none.")
    return value


def _headers(given: Mapping[str, Any], service: Provider) -> dict[str, str]:
    headers = {str(k): str(v) for k, v in (given.get("default_headers") or {}).items()}
    project = given.get("project")
    if project is None and service is OPENAI:
        project = os.environ.get("OPENAI_PROJECT_ID")
    if project:
        headers.setdefault("OpenAI-Project", project)
    if given.get("default_query"):
        raise UsageError("default_query is not supported; put what it says into 'base_url'.")
    return headers
