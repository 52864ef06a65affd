"""Speed and memory, as ratios in one run: `python -m benchmarks`.

Every figure stands beside a hand-written loop, or a bare Python, measured in the same minutes on
the same machine; absolute figures drift. A *turn* is one model call.
"""
