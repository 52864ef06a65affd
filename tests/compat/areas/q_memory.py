"""Remembering, and asking documents."""

from __future__ import annotations

from ..rows import better, same

TITLE = "Memory and retrieval"

ROWS = [
    same("teach:recalled", "What a user tells in one chat is recalled in a later one."),
    same("teach:advice", "Advice is recalled when a task of its kind comes up."),
    same("teach:limits", "recall_threshold and max_num_retrievals limit what is recalled."),
    same("teach:reset", "reset_db forgets; prepopulate_db fills in examples."),
    same("teach:kept", "Memos outlive the process."),
    same("teach:verbosity", "verbosity prints what is learned and recalled."),
    same("teach:model", "The analyzer has a model of its own if one is given."),
    same("teach:system", "The system message tells the agent of its memory."),
    better(
        "teach:replaced",
        "A fact that is told anew replaces the old one.",
        why="both were recalled",
    ),
    better(
        "teach:nonsense",
        "What the analyzer says beside the point teaches nothing.",
        why="it was kept",
    ),
    better(
        "teach:cost",
        "What the analyzer costs counts in the chat.",
        why="it was left out",
    ),
    same("analyzer:chat", "TextAnalyzerAgent reads the text and the instructions of a chat."),
    same("retrieve:question", "A chat begins with the passages nearest to the question."),
    same("retrieve:problem", "problem= works without message_generator too."),
    same("retrieve:update", "UPDATE CONTEXT brings passages that were not seen yet."),
    same("retrieve:update:person", "A person can say it."),
    same("retrieve:update:off", "update_context=False asks once."),
    same("retrieve:prompt", "A prompt of one's own, and answers in steps, are taken."),
    same("retrieve:override", "retrieve_docs can be overridden; both 0.2 forms of results work."),
    same("retrieve:search-string", "search_string keeps only passages that have it."),
    same("retrieve:limit", "Passages too large for the context are left out."),
    same("retrieve:group", "In a group it serves as a function."),
    same("retrieve:code", "Code in an answer is run."),
    same("retrieve:collection", "Collections are kept, taken again, added to and overwritten."),
    same("retrieve:store", "vector_db may be a store of one's own."),
    better(
        "retrieve:chroma",
        "vector_db 'chroma' is the built-in store, which is said.",
        why="it needed a package and a download",
    ),
    better(
        "retrieve:told",
        "Keys, tasks, stores and documents that are not there are told.",
        why="they were passed over, or failed late",
    ),
    same("retrieve:assistant", "RetrieveAssistantAgent warns that it is deprecated, and works."),
    same("split:chunks", "split_text_to_chunks keeps to the limit, by lines or one line each."),
    same("split:files", "Files of folders and URLs are found and split."),
    same("split:overlap", "overlap repeats lines at the beginning of the next chunk."),
    same("split:pdf", "The text of a PDF is read, where its package is here."),
    same("split:html", "HTML becomes Markdown."),
    same("vectordb:protocol", "The store has the methods of VectorDB."),
    same("vectordb:query", "Each query gets its nearest documents with distances."),
    same("vectordb:documents", "Documents are inserted, replaced, updated and deleted."),
    same("vectordb:collections", "Collections are made, found, overwritten and deleted."),
    same("vectordb:factory", "VectorDBFactory makes stores by name; others raise ValueError."),
    better(
        "vectordb:others",
        "Classes of other databases import, and name the built-in store.",
        why="each needed its package to import",
    ),
    same("vectordb:helpers", "Results are filtered by distance and reshaped from columns."),
]
