"""What the models of the studio's tests say: worked out from the conversation, as a model would."""

from __future__ import annotations

from autogen.testing import Reply, Request, call

__all__ = ["STORY", "answer"]

#: Long enough to be looked at while it comes.
STORY = " ".join(f"word{n}" for n in range(1, 81))

_FIRST = """\
I'll compute the squares and write them down.

```python
# filename: squares.py
import time

for n in range(1, 4):
    print(n, n * n, flush=True)
    time.sleep(0.1)
print("first draft")
```"""
_SECOND = """\
Now I'd like to remove the file that I made:

```sh
rm squares.py
```"""
_THIRD = """\
Understood, I'll keep it. A table and a picture instead:

```python
# filename: table.py
import struct
import zlib

with open("squares.csv", "w") as file:
    file.write("n,square\\n")
    for n in range(1, 6):
        file.write(f"{n},{n * n}\\n")


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


width, height = 160, 80
rows = b"".join(b"\\0" + bytes((x, y * 2, 200)[i] for x in range(width) for i in range(3))
                for y in range(height))
with open("squares.png", "wb") as file:
    file.write(b"\\x89PNG\\r\\n\\x1a\\n")
    file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
    file.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
print("saved squares.csv and squares.png")
```"""
_LAST = """\
Done. The squares are in `squares.csv`:

| n | square |
|---|--------|
| 1 | 1 |
| 2 | 4 |

TERMINATE"""

_READ = """\
```python
print(open("data.csv").read().upper())
```"""
_REACH = """\
```python
import time
import urllib.error
import urllib.request

for _ in range(100):
    try:
        urllib.request.urlopen("http://files.example/data", timeout=20)
    except urllib.error.HTTPError as error:
        if error.code == 403:
            time.sleep(0.2)
            continue
        print("let out")
        break
```"""

_SAID = {
    "coding": (_FIRST, _SECOND, _THIRD, _LAST),
    "reader": (_READ, "I have read it. TERMINATE"),
    "weigher": ("", "They weigh what was measured. TERMINATE"),
    "reach": (_REACH, "I tried. TERMINATE"),
    "planner": ("Two sentences: the cause first.",),
    "writer": ("Blue light is scattered most. It is nice.", "Blue light is scattered most."),
    "critic": ("The second sentence explains nothing.", "TERMINATE"),
}


def answer(request: Request) -> Reply:
    """The reply of the model that a request names."""
    persona, messages = request.json["model"], request.json["messages"]
    if persona == "talk":
        return Reply(STORY, chunk_delay_s=0.04)
    n_said = sum(message["role"] == "assistant" for message in messages)
    if persona == "turns":
        return Reply(f"turn {n_said + 1}", delay_s=0.05)
    if persona == "quick":
        return Reply(f"turn {n_said + 1}")
    if persona in ("writer", "critic"):
        # In a group everybody else's words come from `user`.
        n_said = sum(message.get("name") == persona for message in messages)
    said = _SAID[persona]
    if persona == "weigher" and n_said == 0:
        weighed = [call("weigh", id=what, what=what) for what in ("apple", "pear")]
        return Reply(tool_calls=weighed)
    return Reply(said[min(n_said, len(said) - 1)], chunk_delay_s=0.002)
