"""What Binance's SDK made of an answer: which fields it has no name for, which it misses, and the JSON it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

_EXTRA = "additional_properties"


def unknown_fields(value: Any, path: str = "") -> Iterator[str]:
    """Paths of fields that Binance's models do not declare."""
    for name, child in _children(value):
        yield from unknown_fields(child, f"{path}.{name}")
    if isinstance(value, BaseModel):
        extra = getattr(value, _EXTRA, None) or {}
        yield from (f"{path}.{name}".lstrip(".") for name in extra)


def missing_fields(value: Any, path: str = "") -> Iterator[str]:
    """Paths of declared fields that the answer did not have."""
    if _is_choice(value):
        yield from missing_fields(value.actual_instance, path)
        return
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if name != _EXTRA and getattr(value, name) is None:
                yield f"{path}.{field.alias or name}".lstrip(".")
    for name, child in _children(value):
        yield from missing_fields(child, f"{path}.{name}")


def plain(model: Any) -> Any:
    """A model as the JSON it came from, without what was not there."""
    if isinstance(model, list):
        return [plain(each) for each in model]
    if isinstance(model, BaseModel):
        fields = type(model).model_fields
        if "actual_instance" in fields:
            return plain(model.actual_instance)
        named = {field.alias or name: getattr(model, name) for name, field in fields.items() if name != _EXTRA}
        return {name: plain(value) for name, value in named.items() if value is not None}
    return model


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if _is_choice(value):
        yield "", value.actual_instance
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if name != _EXTRA:
                yield field.alias or name, getattr(value, name)
    elif isinstance(value, list):
        yield from (("[]", each) for each in value)


def _is_choice(value: Any) -> bool:
    return isinstance(value, BaseModel) and "actual_instance" in type(value).model_fields
