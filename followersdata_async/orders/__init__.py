"""Orders before they are sent: one class for each service type (panel-api §4.3).

Every class takes ``service`` and ``extra``, fields that are sent as they are
and win over the others. Lists are texts of lines, or many texts; blank lines
are dropped, as some panels charge for them.
"""

from __future__ import annotations

from .base import Order, Raw, TypedOrder
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
    "Order",
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
