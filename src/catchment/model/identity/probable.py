"""Which records are compared to find probable links, and how, as the settings declare it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Column = Annotated[str, Field(pattern="^[a-z_][a-z0-9_]*$")]


class Records(BaseModel):
    """A table of the lake, or a model, each row of which describes whoever one identifier belongs to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Column = Field(description="A table of the lake, or a model.")
    identifier: str = Field(description="The kind of identifier, as `identity.identifiers` names it.")
    column: Column = Field(description="The column that holds its value.")


class Matching(BaseModel):
    """Probable links found by Splink: records that describe the same person, though no identifier says so.

    Needs `pip install 'catchment[splink]'`. How much each column says is learned from the records, without examples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    records: list[Records] = Field(min_length=1, description="All are compared with all; each has every column named.")
    compare: dict[Column, Literal["exact", "name", "text", "email", "date"]] = Field(
        min_length=2,
        description="Column to how alike two values may be: `name` by spelling and rarity, `text` by letters, "
        "`email` by address and domain, `date` (2001-12-31) by days and typing errors, `exact` by equality and rarity.",
    )
    candidates: list[Annotated[list[Column], Field(min_length=1)]] = Field(
        min_length=1,
        description="Two records are compared if they are equal in all columns of one of these lists. Each compared "
        "column must be missing from one of them, or nothing could be learned of it.",
    )
    sure: list[Annotated[list[Column], Field(min_length=1)]] = Field(
        min_length=1, description="Records that are equal in all columns of one of these are almost always one person."
    )
    sure_share: float = Field(
        default=0.7, gt=0, le=1, description="What share of the records of one person are found by `sure`; a guess."
    )
    keep_from: float = Field(
        default=0.5, ge=0, le=1, description="Less probable links are not written; `identity.min_score` says who joins."
    )

    @model_validator(mode="after")
    def _can_be_learned(self) -> "Matching":
        for column in self.compare:
            if all(column in columns for columns in self.candidates):
                raise ValueError(
                    f"'{column}' stands in every list of `candidates`, so nothing can be learned of it: add a list "
                    "without it"
                )
        return self

    def columns(self) -> list[str]:
        """Name every column that the records must have, in the order of their naming."""
        lists = (*self.candidates, *self.sure)
        return list(dict.fromkeys([*self.compare, *(column for columns in lists for column in columns)]))
