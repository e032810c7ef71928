"""What all sections of ``federation.toml`` have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        """TOML has no null: the word ``none`` stands for it, so that a resolved file can say everything."""
        return None if value == "none" else value
