"""The `VectorDB` names of AutoGen 0.2 over the built-in store."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen.agentchat.contrib.vectordb.base import Document, VectorDB, VectorDBFactory
from autogen.agentchat.contrib.vectordb.chromadb import ChromaVectorDB
from autogen.agentchat.contrib.vectordb.local import LocalVectorDB
from autogen.agentchat.contrib.vectordb.utils import (
    chroma_results_to_query_results,
    filter_results_by_distance,
    get_logger,
)


@pytest.fixture
def store() -> Iterator[LocalVectorDB]:
    made = LocalVectorDB()
    made.create_collection("docs")
    docs: list[Document] = [
        {"id": "g", "content": "The gateway listens on port 7717.", "metadata": {"n": 1}},
        {"id": 2, "content": "Cats sleep all day."},
    ]
    made.insert_docs(docs)
    yield made
    made.close()


def ids(results: Any) -> list[list[str]]:
    return [[document["id"] for document, _ in found] for found in results]


@requirement("vectordb:protocol")
def test_it_has_the_methods_of_the_protocol(store: LocalVectorDB) -> None:
    assert isinstance(store, VectorDB)


@requirement("vectordb:query")
def test_each_query_gets_the_nearest_documents(store: LocalVectorDB) -> None:
    results = store.retrieve_docs(["which port?", "cats"], n_results=1)
    assert ids(results) == [["g"], ["2"]]
    document, distance = results[0][0]
    assert document == {
        "id": "g",
        "content": "The gateway listens on port 7717.",
        "metadata": {"n": 1},
    }
    assert 0 < distance < 1


def test_results_can_be_filtered(store: LocalVectorDB) -> None:
    assert ids(store.retrieve_docs(["which port?"], distance_threshold=0.9)) == [["g"]]
    assert ids(store.retrieve_docs(["port"], where_document={"$contains": "Cats"})) == [["2"]]
    assert ids(store.retrieve_docs(["cats"], where={"n": 1})) == [["g"]]
    assert ids(store.retrieve_docs(["cats"], where_document=None)) == [["2", "g"]]


@requirement("vectordb:documents")
def test_documents_are_added_replaced_and_deleted(store: LocalVectorDB) -> None:
    store.insert_docs([{"id": "g", "content": "changed"}])
    assert store.get_docs_by_ids(["g"])[0]["content"].startswith("The gateway")
    store.insert_docs([{"id": "g", "content": "changed"}], upsert=True)
    store.update_docs([{"id": 2, "content": "changed too"}])
    assert [doc["content"] for doc in store.get_docs_by_ids()] == ["changed", "changed too"]
    store.delete_docs(["g", "nobody"])
    assert [doc["id"] for doc in store.get_docs_by_ids(collection_name="docs")] == ["2"]
    store.insert_docs([])


def test_documents_may_bring_their_embedding() -> None:
    store = LocalVectorDB(embedding_function=lambda texts: [[0.0, 1.0] for _ in texts])
    store.create_collection("docs")
    docs = [
        {"id": "a", "content": "x", "embedding": [1, 0]},
        {"id": "b", "content": "y", "embedding": [0.1, 2]},
    ]
    store.insert_docs(docs)
    assert ids(store.retrieve_docs(["anything"])) == [["b", "a"]]
    with pytest.raises(ValueError, match="for every document, or for none"):
        store.insert_docs([*docs, {"id": "c", "content": "z"}])
    store.close()


@pytest.mark.parametrize("doc", [{"content": "x"}, {"id": "x"}])
def test_a_document_needs_an_id_and_a_content(store: LocalVectorDB, doc: Any) -> None:
    with pytest.raises(ValueError, match="needs an 'id' and a 'content'"):
        store.insert_docs([doc])


@requirement("vectordb:collections")
def test_collections_are_made_found_and_begun_anew(store: LocalVectorDB) -> None:
    with pytest.raises(ValueError, match="exists already"):
        store.create_collection("docs", get_or_create=False)
    assert store.create_collection("docs") == "docs"
    assert len(store.get_docs_by_ids()) == 2
    store.create_collection("docs", overwrite=True)
    assert store.get_docs_by_ids() == []
    with pytest.raises(ValueError, match=r"there is no collection 'x'; there are: \['docs'\]"):
        store.get_collection("x")
    assert store.get_collection() == "docs"
    store.delete_collection("docs")
    with pytest.raises(ValueError, match="none is active"):
        store.get_collection()


@requirement("vectordb:factory")
def test_the_factory_knows_its_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for name in ("local", "sqlite", "Chroma"):
        store = VectorDBFactory.create_vector_db(name, path=str(tmp_path))
        assert store.type == "local"
        store.close()
    assert caplog.text.count("served by the built-in store") == 1
    for name in ("pgvector", "mongodb", "qdrant", "couchbase", "nothing"):
        with pytest.raises(ValueError, match=f"no vector database '{name}' here; use 'local'"):
            VectorDBFactory.create_vector_db(name)


@requirement("retrieve:chroma")
def test_chromas_class_is_the_built_in_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ChromaVectorDB(path=str(tmp_path), client=object(), metadata=None)
    store.create_collection("docs")
    store.insert_docs([{"id": "1", "content": "text"}])
    store.close()
    assert "has no use for client" in caplog.text
    assert (tmp_path / "memory.sqlite3").exists()


@requirement("vectordb:others")
@pytest.mark.parametrize(
    "module, name",
    [
        ("pgvectordb", "PGVectorDB"),
        ("mongodb", "MongoDBAtlasVectorDB"),
        ("qdrant", "QdrantVectorDB"),
        ("couchbase", "CouchbaseVectorDB"),
    ],
)
def test_other_stores_import_and_say_what_to_use(module: str, name: str) -> None:
    made = getattr(import_module(f"autogen.agentchat.contrib.vectordb.{module}"), name)
    with pytest.raises(ValueError, match=f"{name} is not in this version; use .*LocalVectorDB"):
        made(connection_string="x")


@requirement("vectordb:helpers")
def test_results_are_filtered_and_reshaped() -> None:
    columns = {
        "ids": [["a", "b"], []],
        "documents": [["x", "y"], []],
        "metadatas": None,
        "distances": [[0.1, 0.9], []],
    }
    results = chroma_results_to_query_results(columns)
    assert results == [[({"id": "a", "content": "x"}, 0.1), ({"id": "b", "content": "y"}, 0.9)], []]
    assert filter_results_by_distance(results, 0.5) == [results[0][:1], []]
    assert filter_results_by_distance(results) == results
    assert chroma_results_to_query_results({"ids": [["a"]], "contents": [["x"]]}) == [
        [({"id": "a", "content": "x"}, 0.0)]
    ]
    assert get_logger("autogen.test").name == "autogen.test"
