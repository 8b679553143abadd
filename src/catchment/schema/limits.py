"""What a schema may cost: a few lines that refer to each other can ask for more work than there is time.

Two numbers are computed without doing that work: how often one place of the data is judged at worst, and how many
places the columns have.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote

MOST_JUDGED = 10_000
"""Times that one place of the data may be judged; ordinary schemas judge each some ten times."""
MOST_PLACES = 5_000
"""Fields, nested ones included, that data of one schema may become."""
DEEPEST_SCHEMA = 100

_SAME = ("not", "if", "then", "else")
_SAME_LISTS = ("allOf", "anyOf", "oneOf")
_SAME_MAPS = ("dependencies", "dependentSchemas")
_NAMES = ("$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$dynamicRef", "$recursiveRef")
"""They give references other meanings than the place they name, so that what a schema costs could not be told."""
_INSIDE = (
    *("additionalItems", "additionalProperties", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties"),
)


def require_bounded(schema: dict[str, Any], *, max_depth: int) -> None:
    """Raise ValueError for a schema that refers to itself without end, or whose references multiply without bound."""
    judged = _Work(schema, max_depth).cost(schema, 0)
    if judged > MOST_JUDGED:
        raise ValueError(f"its references multiply: one value would be judged more than {MOST_JUDGED:,} times")
    if sum(1 for _ in islice(_places(schema, schema, frozenset()), MOST_PLACES + 1)) > MOST_PLACES:
        raise ValueError(f"it describes more than {MOST_PLACES:,} places")


def pointed(reference: str, root: Any) -> Any:
    """Give what a reference within the same document points to; raises ValueError for one that leads elsewhere."""
    if reference != "#" and not reference.startswith("#/"):
        raise ValueError(f"a reference must start with #/, this one is {reference[:100]}")
    found: Any = root
    for part in reference.split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            raise ValueError(f"nothing stands at {reference[:100]}")
    return found


class _Work:
    """How often a value, and one value inside it, and so on down, is judged at worst."""

    def __init__(self, root: dict[str, Any], max_depth: int) -> None:
        self._root = root
        self._max_depth = max_depth
        self._known: dict[tuple[int, int], int] = {}
        self._open: set[tuple[int, int]] = set()

    def cost(self, schema: Any, depth: int) -> int:
        """Count for one place `depth` levels into the data."""
        if not isinstance(schema, dict) or depth > self._max_depth:
            return 1
        if schema is not self._root and any(isinstance(schema.get(name), str) for name in _NAMES):
            raise ValueError("only the whole schema may have an id")
        place = (id(schema), depth)
        if place in self._open:
            raise ValueError("it refers to itself without end")
        if place not in self._known:
            self._open.add(place)
            same = sum(self.cost(each, depth) for each in _on_same_value(schema, self._root))
            self._known[place] = min(1 + same + self._inside(schema, depth + 1), MOST_JUDGED + 1)
            self._open.discard(place)
        return self._known[place]

    def _inside(self, schema: dict[str, Any], depth: int) -> int:
        """Count for the place below that is judged most: two properties are two places, two patterns may be one."""
        items = schema.get("items")
        most = max(
            (
                *(self.cost(each, depth) for each in _values(schema.get("properties"))),
                *(self.cost(each, depth) for each in _list(items if isinstance(items, list) else [items])),
                *(self.cost(each, depth) for each in _list(schema.get("prefixItems"))),
                0,
            )
        )
        patterns = sum(self.cost(each, depth) for each in _values(schema.get("patternProperties")))
        others = sum(self.cost(schema[keyword], depth) for keyword in _INSIDE if keyword in schema)
        return most + patterns + others


def _on_same_value(schema: dict[str, Any], root: Any) -> Iterator[Any]:
    if isinstance(schema.get("$ref"), str):
        yield pointed(schema["$ref"], root)
    for keyword in _SAME:
        if keyword in schema:
            yield schema[keyword]
    for keyword in _SAME_LISTS:
        yield from _list(schema.get(keyword))
    for keyword in _SAME_MAPS:
        yield from _values(schema.get(keyword))


def _places(schema: Any, root: Any, opened: frozenset[str]) -> Iterator[None]:
    """Give one item for each place, as far as anybody asks; where a reference comes again the place is text."""
    yield
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if reference not in opened:
            yield from _places(pointed(reference, root), root, opened | {reference})
        return
    for below in (*_values(schema.get("properties")), schema.get("items")):
        if below is not None:
            yield from _places(below, root, opened)
    for choice in (*_list(schema.get("oneOf")), *_list(schema.get("anyOf"))):
        yield from _places(choice, root, opened)


def _values(mapping: Any) -> Iterable[Any]:
    return mapping.values() if isinstance(mapping, dict) else ()


def _list(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list) else ()
