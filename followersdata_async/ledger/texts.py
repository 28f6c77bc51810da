"""Texts of panels in the form that a database can hold. Pure."""

from __future__ import annotations


def clean_text(text: str) -> str:
    """Return a text with a question mark in place of what a database cannot hold: NUL, and halves of characters."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")
