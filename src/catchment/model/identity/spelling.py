"""How an identifier is spelled in the tables: what the macros `spelled` and `identifies` say in SQL, for one value."""

import hashlib
import re

from catchment.model.identity.declared import Identifier, IdentitySettings

_FORMS = {"email": "^[^@ ]+@[^@ ]+[.][^@ ]+$", "phone": "^[+]?[0-9]{7,15}$"}
_HASH = re.compile("[0-9a-f]{64}")


def spell(value: str, identifier: Identifier, settings: IdentitySettings) -> str | None:
    """Give a value as the tables have it, None where it identifies nobody; a hash of a hashed identifier is itself."""
    spelled = _spelled(value, identifier.normalise)
    if identifier.hash and _HASH.fullmatch(spelled.lower()):
        return spelled.lower()
    form = _FORMS.get(identifier.normalise)
    if form is not None and not re.search(form, spelled):
        return None
    if spelled.strip(" ").lower() in (*settings.blocked, *identifier.blocked):
        return None
    patterns = (*settings.blocked_patterns, *identifier.blocked_patterns)
    if any(re.search(pattern, spelled.lower()) for pattern in patterns):
        return None
    return hashlib.sha256(spelled.encode()).hexdigest() if identifier.hash else spelled


def _spelled(value: str, how: str) -> str:
    trimmed = value.strip(" ")
    match how:
        case "none":
            return value
        case "trim":
            return trimmed
        case "phone":
            return re.sub("^00", "+", re.sub("[^0-9+]", "", trimmed))
        case _:
            return trimmed.lower()
