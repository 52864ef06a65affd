"""One measurement in a process of its own: `python -m benchmarks.worker MODULE WORKLOAD URL N`."""

from __future__ import annotations

import gc
import importlib
import json
import resource
import sys
import time
import tracemalloc


def _cpu_s() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def main() -> None:
    """Print the figures of one run as a JSON line."""
    module, workload, url, size, *flags = sys.argv[1:]
    make = getattr(importlib.import_module(f"benchmarks.{module}"), workload)
    # The first run compiles, imports and connects; the second one is measured.
    make(url, 3)()
    go = make(url, int(size))
    gc.collect()
    if "memory" in flags:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        go()
        gc.collect()
        print(json.dumps({"kib": (tracemalloc.get_traced_memory()[0] - before) / 1024}))
        return
    cpu, wall = _cpu_s(), time.perf_counter()
    go()
    wall, cpu = time.perf_counter() - wall, _cpu_s() - cpu
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "wall": wall, "rss_mib": rss}))


if __name__ == "__main__":
    main()
