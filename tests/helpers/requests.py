"""Requests of batch operations for a list of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from followersdata_async._batch.ids import format_ids
from followersdata_async.models import format_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from followersdata_async._batch.operations import Operation
    from followersdata_async._wire.messages import Request
    from followersdata_async.models import Id


def encode_many(operation: Operation[Any], ids: Iterable[Id]) -> Request:
    """The request for many ids."""
    return operation.encode(format_ids(ids))


def encode_one(operation: Operation[Any], id_: Id) -> Request:
    """The request for one id."""
    return operation.encode_one(format_id(id_), id_)
