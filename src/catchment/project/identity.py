"""The verb that says why a person is this person."""

from typing import Any

from catchment.errors import LakeError
from catchment.model.identity.explain import Line, explain
from catchment.project.opened import Opened


class IdentityVerbs(Opened):
    """Somebody asks who is who."""

    def identity(self, identifier: str) -> list[Line]:
        """Tell of the person that an identifier belongs to: their identifiers, edges, history, merges and conflicts."""
        if not self.lake.exists("identity_identifiers"):
            raise LakeError("Nobody is known yet.", hint="`catchment build` finds out who is who.")
        session: Any
        with self.engine.attach(self.lake) as session:
            return explain(session, identifier, self.settings.model.identity)
