"""Keeping answers."""

from __future__ import annotations

from ..rows import better, same

TITLE = "Caches"

ROWS = [
    same("cache:values", "get, set and close; a missing key gives the default."),
    same("cache:context", "A cache is a context manager."),
    same("cache:disk", "Cache.disk keeps answers in <cache_path_root>/<cache_seed>."),
    same("cache:redis", "Cache.redis keeps them under autogen:<seed>:<key>."),
    same("cache:bad-key", "Another configuration key raises the 0.2 ValueError."),
    same("cache:names", "Classes and factory stand in the 0.2 modules."),
    same("cache:own", "Any object with get, set and close may be the cache."),
    same("cache:hit", "A hit counts in the total usage and not in the actual."),
    same("cache:seed", "cache_seed=n keeps answers in .cache/n; None does not."),
    same("cache:explicit", "A cache given to a call wins over cache_seed."),
    same("cache:filtered", "A rejected answer is kept, and filtered again."),
    better(
        "cache:off",
        "Without cache_seed nothing is kept.",
        why="answers were kept by default, and old ones came back",
    ),
    better(
        "cache:key",
        "Answers are told apart by provider and model, and the key has no secret in it.",
        why="a server got the answers of another",
    ),
    better(
        "cache:json",
        "Kept answers are JSON.",
        why="they were pickled, so that reading them could run code",
    ),
    better(
        "cache:shared",
        "Threads and processes may share a cache.",
        why="they met 'database is locked'",
    ),
    better(
        "cache:single-flight",
        "The same question asked at the same time is sent once.",
        why="each asker paid",
    ),
    better(
        "cache:broken",
        "A cache that cannot keep an answer does not lose it.",
        why="the error lost the paid answer",
    ),
    better(
        "cache:cosmos",
        "Cosmos DB is refused with what to use instead.",
        why="few used it, and no test could hold it",
    ),
]
