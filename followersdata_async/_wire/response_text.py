"""The text of a response. All of JSON's own characters and digits are ASCII, whatever the charset."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import Response


def decode_text(response: Response) -> str:
    """Return the text of a response, without a byte-order mark.

    It is UTF-8 if it can be. Otherwise it is in the charset that the response
    names, or in that of Turkish or Russian Windows if all of its letters are of
    that language.
    """
    body = response.body
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = _decode_other(body, response.headers.get("content-type", ""))
    return text.lstrip("\ufeff \t\r\n")


def _decode_other(body: bytes, content_type: str) -> str:
    named = _CHARSET.search(content_type.lower())
    if named and named[1] in _CHARSETS:
        return body.decode(named[1], errors="replace")
    for charset, letters in _LETTERS.items():
        text = body.decode(charset, errors="replace")
        if letters.issuperset(character for character in text if not character.isascii()):
            return text
    return body.decode(errors="replace")


_CHARSET = re.compile(r"charset=[\"']?([a-z0-9-]+)")
_CHARSETS = frozenset(
    {"windows-1251", "windows-1252", "windows-1254", "iso-8859-1", "iso-8859-5", "iso-8859-9", "koi8-r"}
)
_LETTERS = {
    "windows-1254": frozenset("çğıöşüÇĞİÖŞÜâîûÂÎÛ’“”–…"),  # noqa: RUF001 - as people write
    "windows-1251": frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяёАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁ«»№—–…"),  # noqa: RUF001 - Russian
}
