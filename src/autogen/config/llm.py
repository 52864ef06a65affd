"""`llm_config` and config lists: checking, finding, filtering."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ..errors import UsageError, UsageTypeError
from .entry import DEFAULT_AZURE_API_VERSION
from .providers import provider
from .secrets import redact

__all__ = [
    "DEFAULT_AZURE_API_VERSION",
    "DEFAULT_MODEL",
    "FAST_MODEL",
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "config_list_gpt4_gpt35",
    "config_list_openai_aoai",
    "filter_config",
    "get_config",
    "get_config_list",
    "parse_llm_config",
]

logger = logging.getLogger("autogen")

DEFAULT_MODEL = "gpt-4"
FAST_MODEL = "gpt-3.5-turbo"

#: 0.2 programs compare this text.
_NO_MODEL = (
    "When using OpenAI or Azure OpenAI endpoints, specify a non-empty 'model' either in "
    "'llm_config' or in each config of 'config_list'."
)
_OWN_CLIENT_KEYS = ("model_client", "model_client_cls")
_SAYING_MODEL = ("config_list", "model", *_OWN_CLIENT_KEYS)
#: Text that was meant as the path of a file: no JSON, and with a slash in it or such an ending.
_PATH = re.compile(r"""(?![\[{"])[^\n]*(?:[/\\][^\n]*|\.json)""")
_Filter = Mapping[str, Sequence[Any]]


def parse_llm_config(llm_config: Any) -> dict[str, Any] | Literal[False]:
    """An agent's `llm_config`, checked, as a shallow copy: a dict, or False for no model.

    The dict, its `config_list`, the entries in it and the lists of tools are new; what they hold
    (clients, functions, schemas) is shared.

    Raises:
        UsageError: No model is named.
        AssertionError: Neither a dict, nor False, nor None.
    """
    if llm_config is None or llm_config is False:
        return False
    if not isinstance(llm_config, Mapping):
        raise AssertionError(
            f"llm_config is a {type(llm_config).__name__}; it must be a dict, False or None."
        )
    parsed = dict(llm_config)
    entries = parsed.get("config_list")
    if entries is None:
        _check(parsed, {})
    else:
        if isinstance(entries, Mapping | str) or not isinstance(entries, Sequence):
            raise UsageError(
                f"config_list is a {type(entries).__name__}; it must be a list of dicts."
            )
        copies = []
        for entry in entries:
            if not isinstance(entry, Mapping):
                raise UsageError(
                    f"config_list holds a {type(entry).__name__}; it must be a list of dicts."
                )
            _check(entry, parsed)
            copies.append(dict(entry))
        if not copies:
            raise _no_model(
                "config_list is empty; a filter_dict that fits no entry of the file leaves it so."
            )
        parsed["config_list"] = copies
    for key in ("tools", "functions"):
        if isinstance(parsed.get(key), list):
            parsed[key] = list(parsed[key])
    return parsed


def _check(entry: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    """What can be said about an entry before it is used."""
    if not _names_model(entry, base):
        # Slow to import, and only for a mistake.
        from difflib import get_close_matches

        misspelt = {
            key: meant[0]
            for key in (*entry, *base)
            if (meant := get_close_matches(str(key), _SAYING_MODEL, 1, 0.75)) and key != meant[0]
        }
        raise _no_model(
            *(f"{key!r} is no option; did you mean {meant!r}?" for key, meant in misspelt.items())
        )
    api_type = entry.get("api_type", base.get("api_type"))
    # What a client of the user's own makes of it is its own affair.
    if api_type is not None and not _says(entry, base, *_OWN_CLIENT_KEYS):
        provider(api_type, base_url=entry.get("base_url", base.get("base_url")))


def _no_model(*notes: str) -> UsageError:
    """The error, whose text is that of AutoGen 0.2, with what may have happened as its notes."""
    error = UsageError(_NO_MODEL)
    for note in notes:
        error.add_note(note)
    return error


def _names_model(entry: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    model = entry.get("model", base.get("model"))
    if model:
        if not isinstance(model, str):
            raise UsageError(f"model is {model!r}; it must be a text such as 'gpt-4o'.")
        return True
    if "model" in entry:
        return False
    return _says(entry, base, *_OWN_CLIENT_KEYS, "azure_deployment")


def _says(entry: Mapping[str, Any], base: Mapping[str, Any], *keys: str) -> bool:
    return any(entry.get(k, base.get(k)) for k in keys)


# ---------------------------------------------------------------------------- from files


def config_list_from_json(
    env_or_file: str, file_location: str | None = "", filter_dict: _Filter | None = None
) -> list[dict[str, Any]]:
    """A config list from an environment variable or a JSON file.

    Args:
        env_or_file: Name of a variable that holds JSON or the path of a JSON file; where there is
            no such variable, name of the file.
        file_location: Folder of the file.
        filter_dict: See `filter_config`.

    Raises:
        FileNotFoundError: Neither variable nor file is there.
        UsageError: What was found is not a JSON list of dicts.
    """
    name: Any = env_or_file
    if not isinstance(name, str):
        raise UsageTypeError(f"env_or_file is {name!r}; give the name of a variable or of a file.")
    text = os.environ.get(env_or_file)
    source = f"the environment variable {env_or_file}"
    if text:
        if _is_file(text):
            source = f"the file {text!r} (named by the variable {env_or_file})"
            text = Path(text).read_text(encoding="utf-8")
        elif _PATH.fullmatch(text.strip()):
            raise FileNotFoundError(
                f"{source} is {redact(text)!r}, and there is no such file; set it to the path of "
                "a JSON file, or to the JSON list of dicts itself."
            )
    else:
        path = os.path.join(file_location or "", env_or_file)
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"There is neither an environment variable {env_or_file!r} nor a file {path!r}; "
                "put the config list (a JSON list of dicts) into one of them."
            )
        source = f"the file {path!r}"
        text = Path(path).read_text(encoding="utf-8")
    return filter_config(_parsed(text, source), filter_dict)


def _is_file(text: str) -> bool:
    try:
        return os.path.isfile(text)
    except (OSError, ValueError):
        return False


def _parsed(text: str, source: str) -> list[dict[str, Any]]:
    # The text holds keys, so no error shows any of it.
    try:
        found = json.loads(text)
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(
            f"{source} does not hold valid JSON{where}; a config list is needed."
        ) from None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise UsageError(f"{source} must hold a JSON list of dicts, one per model.")
    return found


def filter_config(
    config_list: Sequence[dict[str, Any]],
    filter_dict: _Filter | None,
    exclude: bool = False,
) -> list[dict[str, Any]]:
    """The entries that match every key of `filter_dict`.

    Args:
        config_list: Not changed.
        filter_dict: For each key a list of the acceptable values. An entry whose value is a list
            (`tags`) matches if any element is acceptable; one without the key does not match.
        exclude: Keep the entries that match no key instead.
    """
    if not filter_dict:
        return list(config_list)
    accepted = {k: _acceptable(k, values) for k, values in filter_dict.items()}
    return [
        entry
        for entry in config_list
        if all(_is_accepted(entry.get(k), values) != exclude for k, values in accepted.items())
    ]


def _acceptable(key: str, values: Any) -> Any:
    """The acceptable values of `key`; a text is one of them, and not a list of its letters."""
    if isinstance(values, str):
        return (values,)
    if not hasattr(values, "__contains__"):
        raise UsageTypeError(
            f"filter_dict has {values!r} under {key!r}; give the acceptable values as a list: "
            f"{{{key!r}: [{values!r}]}}."
        )
    return values


def _is_accepted(value: Any, acceptable: Sequence[Any]) -> bool:
    if value is None:
        return False
    if isinstance(value, list):
        return any(v in acceptable for v in value)
    return value in acceptable


def config_list_from_dotenv(
    dotenv_file_path: str | None = None,
    model_api_key_map: Mapping[str, str | Mapping[str, Any]] | None = None,
    filter_dict: _Filter | None = None,
) -> list[dict[str, Any]]:
    """A config list from keys in a `.env` file, or in the environment.

    Args:
        dotenv_file_path: The file; None looks for `.env` here and in the folders above. The
            variables already set win.
        model_api_key_map: For each model the variable of its key, or a dict with `api_key_env_var`
            and further options of the entry. gpt-4 and gpt-3.5-turbo with OPENAI_API_KEY are added.
        filter_dict: See `filter_config`.

    Raises:
        FileNotFoundError: `dotenv_file_path` is not there.
    """
    _load_dotenv(dotenv_file_path)
    wanted = dict(model_api_key_map or {})
    for model in (DEFAULT_MODEL, FAST_MODEL):
        wanted.setdefault(model, "OPENAI_API_KEY")
    config_list = []
    for model, given in wanted.items():
        options = dict(given) if isinstance(given, Mapping) else {"api_key_env_var": given}
        name = options.pop("api_key_env_var", "OPENAI_API_KEY")
        key = os.environ.get(name, "").strip()
        if not key:
            logger.warning("No key for model %s: the variable %s is not set.", model, name)
            continue
        config_list.append({"model": model, "api_key": key, **options})
    config_list = filter_config(config_list, filter_dict)
    if not config_list:
        logger.error("No model can be used: no key was found, or the filter left nothing.")
    return config_list


def _load_dotenv(path: str | os.PathLike[str] | None) -> None:
    from dotenv import find_dotenv, load_dotenv

    if path is None:
        load_dotenv(find_dotenv(usecwd=True))
    elif not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file {os.fspath(path)!r} to read keys from.")
    else:
        load_dotenv(path)


# ---------------------------------------------------------------------------- from keys


def get_config(
    api_key: str | None,
    base_url: str | None = None,
    api_type: str | None = None,
    api_version: str | None = None,
) -> dict[str, Any]:
    """One entry, without a model; what is None is left out."""
    entry = {
        "api_key": api_key,
        "base_url": base_url,
        "api_type": api_type,
        "api_version": api_version,
    }
    return {k: v for k, v in entry.items() if v is not None or k == "api_key"}


def get_config_list(
    api_keys: Sequence[str],
    base_urls: Sequence[str] | None = None,
    api_type: str | None = None,
    api_version: str | None = None,
) -> list[dict[str, Any]]:
    """An entry per key, without a model; blank keys are skipped.

    Args:
        api_keys: Secrets.
        base_urls: As many as keys, or None.
        api_type: For all.
        api_version: For all.

    Raises:
        AssertionError: Not as many addresses as keys.
    """
    if isinstance(api_keys, str):
        raise UsageTypeError("api_keys is one text; give a list of keys: [key].")
    if base_urls is not None and len(api_keys) != len(base_urls):
        raise AssertionError("The length of api_keys must match the length of base_urls")
    config_list = []
    for i, key in enumerate(api_keys):
        if key and key.strip():
            url = base_urls[i] if base_urls else None
            config_list.append(get_config(key, url, api_type, api_version))
    return config_list


def config_list_openai_aoai(
    key_file_path: str | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    aoai_api_key_file: str | None = "key_aoai.txt",
    openai_api_base_file: str | None = "base_openai.txt",
    aoai_api_base_file: str | None = "base_aoai.txt",
    exclude: str | None = None,
) -> list[dict[str, Any]]:
    """Entries, without models, for the OpenAI and Azure OpenAI keys that can be found.

    A key comes from OPENAI_API_KEY or AZURE_OPENAI_API_KEY; where that is not set, from the file.
    Files hold one key (or address) per line. The environment is never changed.

    Args:
        key_file_path: Folder of the files; None reads no files.
        openai_api_key_file: Keys for OpenAI.
        aoai_api_key_file: Keys for Azure.
        openai_api_base_file: Addresses, one per key.
        aoai_api_base_file: Addresses, one per key.
        exclude: "openai" or "aoai" leaves those out.
    """
    if exclude not in (None, "openai", "aoai"):
        raise UsageError(f"exclude is {exclude!r}; use 'openai', 'aoai' or None.")

    def lines(variable: str, file: str | None) -> list[str]:
        text = os.environ.get(variable) or ""
        if not text and key_file_path is not None and file is not None:
            path = Path(key_file_path, file)
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
        return [line.strip() for line in text.splitlines() if line.strip()]

    azure, openai = [], []
    if exclude != "aoai":
        urls = lines("AZURE_OPENAI_API_BASE", aoai_api_base_file)
        urls = urls or lines("AZURE_OPENAI_ENDPOINT", None)
        keys = lines("AZURE_OPENAI_API_KEY", aoai_api_key_file)
        azure = get_config_list(keys, urls or None, "azure", DEFAULT_AZURE_API_VERSION)
    if exclude != "openai":
        urls = lines("OPENAI_API_BASE", openai_api_base_file)
        openai = get_config_list(lines("OPENAI_API_KEY", openai_api_key_file), urls or None)
    return openai + azure


def config_list_from_models(
    key_file_path: str | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    aoai_api_key_file: str | None = "key_aoai.txt",
    aoai_api_base_file: str | None = "base_aoai.txt",
    exclude: str | None = None,
    model_list: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """`config_list_openai_aoai`, each entry once per model.

    Args:
        key_file_path: As there.
        openai_api_key_file: As there.
        aoai_api_key_file: As there.
        aoai_api_base_file: As there.
        exclude: As there.
        model_list: Models in the order in which they are asked; None or empty leaves the entries as
            they are.
    """
    config_list = config_list_openai_aoai(
        key_file_path=key_file_path,
        openai_api_key_file=openai_api_key_file,
        aoai_api_key_file=aoai_api_key_file,
        aoai_api_base_file=aoai_api_base_file,
        exclude=exclude,
    )
    if not model_list:
        return config_list
    return [{**entry, "model": model} for model in model_list for entry in config_list]


def config_list_gpt4_gpt35(
    key_file_path: str | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    aoai_api_key_file: str | None = "key_aoai.txt",
    aoai_api_base_file: str | None = "base_aoai.txt",
    exclude: str | None = None,
) -> list[dict[str, Any]]:
    """`config_list_from_models` for gpt-4, then gpt-3.5-turbo."""
    return config_list_from_models(
        key_file_path,
        openai_api_key_file,
        aoai_api_key_file,
        aoai_api_base_file,
        exclude,
        model_list=[DEFAULT_MODEL, FAST_MODEL],
    )
