"""Orders to send: one class for each service type (panel-api §4.3).

Every class takes ``service`` and ``extra``. The fields of ``extra`` are sent as
they are and override the others. Lists are strings of lines, or many strings.
Blank lines are dropped, because some panels charge for them.
"""

from __future__ import annotations

from .base import Raw, TypedOrder
from .types import (
    CommentLikes,
    CommentReplies,
    CustomComments,
    CustomCommentsPackage,
    Default,
    InvitesFromGroups,
    Mentions,
    MentionsCustomList,
    MentionsHashtag,
    MentionsMediaLikers,
    MentionsUserFollowers,
    MentionsWithHashtags,
    Package,
    Poll,
    Seo,
    Subscriptions,
    WebTraffic,
    fields_of,
    for_service,
)

__all__ = [
    "CommentLikes",
    "CommentReplies",
    "CustomComments",
    "CustomCommentsPackage",
    "Default",
    "InvitesFromGroups",
    "Mentions",
    "MentionsCustomList",
    "MentionsHashtag",
    "MentionsMediaLikers",
    "MentionsUserFollowers",
    "MentionsWithHashtags",
    "Package",
    "Poll",
    "Raw",
    "Seo",
    "Subscriptions",
    "TypedOrder",
    "WebTraffic",
    "fields_of",
    "for_service",
]
