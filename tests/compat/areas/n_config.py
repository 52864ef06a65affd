"""Finding and filtering config lists."""

from __future__ import annotations

from ..rows import better, same

TITLE = "Config lists"

ROWS = [
    same("config:json:variable", "A variable holds the list as JSON, or names a file of it."),
    same("config:json:file", "Without the variable the list is read from file_location."),
    same("config:json:missing", "A list that is nowhere raises FileNotFoundError."),
    better(
        "config:json:broken",
        "A list that is no JSON raises an error that names its place and shows no key.",
        why="the error did not say which list",
    ),
    same("config:filter", "filter_config keeps entries that match every key; lists by any item."),
    same("config:filter:exclude", "exclude=True keeps the others; a missing key is no match."),
    same("config:dotenv", "config_list_from_dotenv reads keys from .env by a map of models."),
    same("config:dotenv:no-key", "A model without key is left out and told; none gives []."),
    same("config:keys", "get_config_list pairs keys and addresses and leaves blank keys out."),
    same("config:keys:lengths", "As many addresses as keys, else the 0.2 AssertionError."),
    better(
        "config:openai-aoai",
        "Key files are read where variables are not set.",
        why="they overwrote the variables of the process",
    ),
    same("config:models", "config_list_from_models and config_list_gpt4_gpt35 name models."),
    better(
        "config:shared",
        "Configurations are not copied deeply.",
        why="clients and locks inside could not be copied",
    ),
]
