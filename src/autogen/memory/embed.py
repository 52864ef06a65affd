"""From texts to vectors: the default that needs no model, and the check every vector passes.

NumPy is imported inside functions, so that naming an embedder costs nothing.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..errors import UsageError
from .base import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

__all__ = ["HashedNgrams", "embedded", "normalized", "numpy"]


def numpy() -> Any:
    """The package NumPy.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module("numpy")
    except ImportError as error:
        raise UsageError(
            "autogen.memory needs the 'memory' extra: run pip install -e \".[memory]\" in the "
            "clone of autogen-next."
        ) from error


def embedded(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """The vectors of `texts`, checked and normalised.

    Returns:
        (n_texts, dim) float32, rows L2-normalised; a row of zeros stays one.

    Raises:
        UsageError: The embedder gave something else than one row of finite numbers per text.
    """
    return normalized(embedder(list(texts)), n_rows=len(texts))


def normalized(vectors: Any, *, n_rows: int) -> Vectors:
    """`vectors` as (n_rows, dim) float32 with L2-normalised rows; a row of zeros stays one.

    Raises:
        UsageError: They are not `n_rows` rows of finite numbers.
    """
    np = numpy()
    try:
        array = np.asarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"an embedder gave {type(vectors).__name__} that is no table of numbers: {error}."
        ) from error
    if array.ndim != 2 or array.shape[0] != n_rows or array.shape[1] == 0:
        raise UsageError(
            f"an embedder gave the shape {array.shape} for {n_rows} texts; it must give one row "
            "of numbers per text."
        )
    if not np.isfinite(array).all():
        raise UsageError("an embedder gave numbers that are not finite.")
    lengths = np.linalg.norm(array.astype(np.float64), axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    made: Vectors = (array / lengths).astype(np.float32)
    return made


# ------------------------------------------------------------------------------------ the default

_WORD: Final = re.compile(r"[^\W_]+")
#: The length of the pieces of a word together, against 1 for the word as a whole.
_PIECES_WEIGHT: Final = 1.0
#: Words weigh by their letters up to this many: in most languages frequent words are short.
#: Source: Zipf's law of abbreviation (G. K. Zipf, The Psychobiology of Language, 1935).
_FULL_WEIGHT_LETTERS: Final = 6
#: Thai, Chinese and Japanese write no blanks between words; their letters come after this one.
_NO_BLANKS: Final = "\u0e00"


class HashedNgrams:
    """An embedder without a model: words, and pieces of 3 and 4 letters, hashed into `dim` numbers.

    It finds texts that share words, or words of one stem, with the query. It does not know what
    words mean: "car" and "automobile" are strangers to it. Where that matters, give a store an
    embedder with a model behind it.

    The same text gives the same vector on every machine. A word that comes n times counts
    1 + ln(n) times, and longer words count more than short ones. Texts without a letter or digit
    become rows of zeros.

    Args:
        dim: Numbers per text. Fewer are faster, and mix up more words.

    Source: the hashing trick with signs (Weinberger et al., Feature Hashing for Large Scale
    Multitask Learning, 2009); pieces of words as in fastText (Bojanowski et al., 2017).
    """

    def __init__(self, dim: int = 2048):
        if dim < 2:
            raise UsageError(f"dim is {dim!r}; it must be a whole number of at least 2.")
        self.dim = dim
        self.name = f"hashed-ngrams-1-{dim}"

    def __call__(self, texts: list[str], /) -> Vectors:
        """The vectors of `texts`: (n_texts, dim) float32, rows L2-normalised."""
        np = numpy()
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = Counter(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
            if not words:
                continue
            features: list[int] = []
            weights: list[float] = []
            for word, n in words.items():
                hashes, weight, piece_weight = _features(word)
                often = 1.0 + float(np.log(n))
                features.extend(hashes)
                weights.append(weight * often)
                weights.extend([piece_weight * often] * (len(hashes) - 1))
            hashed = np.array(features, dtype=np.int64)
            signs = np.where(hashed & 1, 1.0, -1.0)
            row += np.bincount(
                (hashed >> 1) % self.dim, weights=signs * np.array(weights), minlength=self.dim
            )
        return normalized(rows, n_rows=len(texts))


@lru_cache(maxsize=50_000)
def _features(word: str) -> tuple[tuple[int, ...], float, float]:
    """Hashes of a word and of its pieces, and what the word and each piece weigh."""
    framed = f"<{word}>"
    if max(word) >= _NO_BLANKS:
        # A run of letters is a clause, and its pairs and threes of letters are the words: the run
        # as a whole says nothing, and counts by its length.
        pieces = [word[i : i + n] for n in (1, 2, 3) for i in range(len(word) - n + 1)]
        weight, whole = (len(word) / 2) ** 0.5, 0.0
    else:
        pieces = [framed[i : i + n] for n in (3, 4) for i in range(len(framed) - n + 1)]
        letters = len(word) if word.isalpha() else _FULL_WEIGHT_LETTERS
        weight = whole = (min(letters, _FULL_WEIGHT_LETTERS) / _FULL_WEIGHT_LETTERS) ** 2
    pieces = [piece for piece in pieces if piece != framed]
    hashes = tuple(zlib.crc32(piece.encode("utf-8", "replace")) for piece in (framed, *pieces))
    return hashes, whole, weight * _PIECES_WEIGHT / max(1, len(pieces)) ** 0.5
