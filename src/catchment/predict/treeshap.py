"""LightGBM's own SHAP values, worked out once for people whom a tree cannot tell apart.

A tree asks a handful of questions, so it knows few kinds of people: those who answer all of them alike. LightGBM is
asked for one of each kind, tree by tree, and everybody else takes over what their kind was given. Sums over the trees
are what LightGBM gives for the whole model, at a tenth of the time.
"""

from collections.abc import Iterator
from copy import deepcopy
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

KINDS = 4096
"""With more of them in one tree only those that occur are worked out."""
COUNTABLE = 1 << 20
"""So many kinds are ticked off in a list; more are sorted."""


class Question(NamedTuple):
    """What one tree asks of one column: which answers there are, and a value that would give each."""

    column: int
    answers: Any
    examples: Any


class _Tree(NamedTuple):
    number: int
    questions: list[Question]
    strides: list[int]
    kinds: int
    table: Any = None


class Shap:
    """The SHAP values of one model for many people; safe to share between threads.

    LightGBM keeps in the model which trees it was last asked for, so another thread that scores by the same model
    meanwhile would be answered by one tree. Trees are therefore asked of a copy, one at a time.
    """

    def __init__(self, booster: Any) -> None:
        self._booster = deepcopy(booster)
        self._asking = Lock()
        self._columns = booster.num_feature()
        nodes = [list(_splits(tree["tree_structure"])) for tree in booster.dump_model()["tree_info"]]
        self._bins = _bins([node for tree in nodes for node in tree])
        self._trees = [self._open(number, tree) for number, tree in enumerate(nodes) if tree]

    def values(self, matrix: Any) -> Any:
        """Give per row and column by how much it moves the score."""
        places = {column: _place(bins, matrix[:, column]) for column, bins in self._bins.items()}
        found = np.zeros((self._columns, len(matrix)))
        for tree in self._trees:
            kind = np.zeros(len(matrix), dtype=np.int64)
            for question, stride in zip(tree.questions, tree.strides, strict=True):
                kind += (question.answers * stride)[places[question.column]]
            table = tree.table
            if table is None:
                seen, kind = _renumber(kind, tree.kinds)
                table = self._ask(tree, seen)
            for place, question in enumerate(tree.questions):
                found[question.column] += table[place][kind]
        return found.T

    def _open(self, number: int, nodes: list[dict[str, Any]]) -> _Tree:
        columns = sorted({node["split_feature"] for node in nodes})
        questions = [
            _question(column, self._bins[column], [node for node in nodes if node["split_feature"] == column])
            for column in columns
        ]
        counts = [len(question.examples) for question in questions]
        strides = [int(np.prod(counts[:place], dtype=np.int64)) for place in range(len(counts))]
        tree = _Tree(number, questions, strides, int(np.prod(counts, dtype=np.int64)))
        return tree._replace(table=self._ask(tree, np.arange(tree.kinds))) if tree.kinds <= KINDS else tree

    def _ask(self, tree: _Tree, kinds: Any) -> Any:
        """Ask LightGBM for one person of each kind, of one tree alone."""
        people = np.zeros((len(kinds), self._columns))
        for question, stride in zip(tree.questions, tree.strides, strict=True):
            people[:, question.column] = question.examples[kinds // stride % len(question.examples)]
        with self._asking:
            given = self._booster.predict(
                people, pred_contrib=True, start_iteration=tree.number, num_iteration=1, num_threads=1
            )
        return [np.ascontiguousarray(given[:, question.column]) for question in tree.questions]


def _renumber(kinds: Any, count: int) -> tuple[Any, Any]:
    """Give the kinds that occur, and per row the place of its own among them."""
    if count > COUNTABLE:
        return np.unique(kinds, return_inverse=True)
    occurs = np.zeros(count, dtype=bool)
    occurs[kinds] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[kinds]


class _Bins(NamedTuple):
    """What the whole model can tell apart in one column; of a category None, then each code that it names."""

    edges: Any
    is_category: bool
    values: Any


def _splits(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if "split_feature" in node:
            yield node
            waiting += [node["left_child"], node["right_child"]]


def _codes(node: dict[str, Any]) -> list[int]:
    return [int(code) for code in node["threshold"].split("||")]


def _bins(nodes: list[dict[str, Any]]) -> dict[int, _Bins]:
    """Give per column that is asked for the values that stand for all that fall together; the last is emptiness."""
    bins = {}
    for column in {node["split_feature"] for node in nodes}:
        asked = [node for node in nodes if node["split_feature"] == column]
        is_category = asked[0]["decision_type"] == "=="
        if is_category:
            edges = np.unique([code for node in asked for code in _codes(node)]).astype(float)
            values = np.append(edges, [np.nan, np.nan])
        else:
            edges = np.unique([node["threshold"] for node in asked])
            values = np.concatenate([edges, [np.nextafter(edges[-1], np.inf), np.nan]])
        bins[column] = _Bins(edges, is_category, values)
    return bins


def _place(bins: _Bins, column: Any) -> Any:
    """Give the bin of each value: the last is empty, the one before it beyond the last edge, or another category."""
    column = np.trunc(column) if bins.is_category else column
    places = np.searchsorted(bins.edges, column, side="left")
    if bins.is_category:
        known = bins.edges[np.minimum(places, len(bins.edges) - 1)] == column
        places = np.where(known, places, len(bins.edges))
    return np.where(np.isnan(column), len(bins.edges) + 1, places)


def _question(column: int, bins: _Bins, nodes: list[dict[str, Any]]) -> Question:
    """Put the bins of a column together between which one tree makes no difference."""
    if bins.is_category:
        told = [np.isin(bins.values, _codes(node)) for node in nodes]
    else:
        told = [bins.values <= node["threshold"] for node in nodes]
        told.append(np.isnan(bins.values))
    _, first, answers = np.unique(np.column_stack(told), axis=0, return_index=True, return_inverse=True)
    return Question(column, answers.ravel().astype(np.int64), bins.values[first])
