"""The route of metrics, in the text format that Prometheus reads.

Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from fastapi import Response

from .._version import __version__
from .callers import needs
from .common import PartsOf, router

__all__ = ["metrics"]

metrics = router(tag="health", prefix="")

_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Rows = Iterable[tuple[Mapping[str, str], float]]


@metrics.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    dependencies=[needs("metrics:read")],
)
def tell_metrics(parts: PartsOf) -> Response:
    """Counts of runs, questions, calls of models, streams, workers."""
    began_s = time.perf_counter()
    counts = parts.runtime.counts()
    (used,) = parts.runtime.usage(by=None)
    lines = [
        *_metric("info", "gauge", "The version of autogen-next.", [({"version": __version__}, 1)]),
        *_metric(
            "runs",
            "gauge",
            "Runs in the database, by status.",
            [({"status": status}, n) for status, n in sorted(counts.runs.items())],
        ),
        *_metric("questions_open", "gauge", "Questions that wait.", [({}, counts.n_questions)]),
        *_metric("workers", "gauge", "Processes that show signs of life.", [({}, counts.n_alive)]),
        *_metric(
            "http_answers_total",
            "counter",
            "Answers of this server, by status.",
            [({"status": str(status)}, n) for status, n in sorted(dict(parts.answers).items())],
        ),
        *_metric("streams", "gauge", "Followers of events here.", [({}, parts.feed.n_watches)]),
        *_metric(
            "model_calls_total",
            "counter",
            "Answers of models.",
            [
                ({"cached": "false"}, used.n_calls - used.n_cached),
                ({"cached": "true"}, used.n_cached),
            ],
        ),
        *_metric(
            "model_tokens_total",
            "counter",
            "Tokens of answers that no cache gave.",
            [
                ({"kind": "prompt"}, used.prompt_tokens),
                ({"kind": "completion"}, used.completion_tokens),
            ],
        ),
        *_metric("model_cost_usd_total", "counter", "US dollars.", [({}, used.cost_usd)]),
        *_metric("memory_peak_bytes", "gauge", "Of this process.", _memory()),
        *_metric(
            "metrics_seconds",
            "gauge",
            "What these lines took.",
            [({}, round(time.perf_counter() - began_s, 6))],
        ),
    ]
    return Response("\n".join(lines) + "\n", media_type=_TYPE)


def _memory() -> Rows:
    try:
        import resource
    except ModuleNotFoundError:
        # Windows.
        return
    yield {}, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _metric(name: str, kind: str, words: str, rows: Rows) -> Iterable[str]:
    yield f"# HELP autogen_{name} {words}"
    yield f"# TYPE autogen_{name} {kind}"
    for labels, value in rows:
        text = ",".join(f'{key}="{label}"' for key, label in labels.items())
        yield f"autogen_{name}{{{text}}} {value}" if text else f"autogen_{name} {value}"
