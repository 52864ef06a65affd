"""The embedder that needs no model."""

from __future__ import annotations

import pytest

from autogen.memory import HashedNgrams

np = pytest.importorskip("numpy")

#: Stores keep vectors: these numbers may change only with the embedder's name.
EXPECTED = [0.075, 0.8078, -0.299, -0.1795, 0.299, 0.0, 0.1495, 0.3293]


def cosine(a: str, b: str) -> float:
    one, two = HashedNgrams()([a, b])
    return float(one @ two)


def test_rows_are_normalised_float32() -> None:
    vectors = HashedNgrams(64)(["a cat", "", "...", "Ein Wort"])
    assert vectors.shape == (4, 64)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 0, 1])
    assert HashedNgrams(64)([]).shape == (0, 64)


def test_a_text_has_one_vector_on_every_machine() -> None:
    vector = HashedNgrams(8)(["The gateway listens."])[0]
    assert vector == pytest.approx(HashedNgrams(8)(["THE GATEWAY LISTENS"])[0])
    assert [round(float(x), 4) for x in vector] == EXPECTED


def test_texts_that_share_words_are_nearer_than_others() -> None:
    question = "On which port does the gateway listen?"
    near = cosine(question, "The gateway listens on port 7717.")
    far = cosine(question, "Cats sleep for twelve to sixteen hours.")
    assert near > 0.5 > 0.1 > far


def test_words_of_one_stem_are_near() -> None:
    assert cosine("planning vacations", "plan a vacation") > 0.3
    assert cosine("Straßenbahn", "STRASSENBAHNEN") > 0.3
    assert cosine("Straßenbahn", "STRASSENBAHN") > 0.99


def test_long_words_count_more_than_short_ones() -> None:
    question = "what is the observatory"
    assert cosine(question, "what is the price") < cosine(question, "an observatory")


def test_scripts_without_blanks_are_found_by_their_parts() -> None:
    near = cosine("网关监听端口", "网关监听七七一七端口。")
    assert near > 0.4 > 0.1 > cosine("网关监听端口", "猫每天睡很久。")


def test_it_does_not_know_what_words_mean() -> None:
    assert abs(cosine("car", "automobile")) < 0.1


def test_it_needs_two_numbers() -> None:
    with pytest.raises(ValueError, match="dim is 1"):
        HashedNgrams(1)
