"""What every chapter of the settings is made of."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


def setting(default: Any, meaning: str, *, unit: str = "", **limits: Any) -> Any:
    """Declare one.

    Args:
        default: its value, or a function of what was read before it.
        meaning: one sentence for the reference.
        unit: what it is counted in, or what shape it has.
        limits: as pydantic's ``Field`` takes them.
    """
    if callable(default):
        return Field(default_factory=default, description=meaning, json_schema_extra={"unit": unit}, **limits)
    return Field(default=default, description=meaning, json_schema_extra={"unit": unit}, **limits)


def unit_of(field: FieldInfo) -> str:
    """What a setting is counted in, or what shape it has; empty for a plain word."""
    extra = field.json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) else ""


class Chapter(BaseSettings):
    """Settings that belong together; the docstring of a chapter is its heading."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: where values come from is decided, and remembered, by the loader."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)
