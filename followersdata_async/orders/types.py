"""One class for each service type (panel-api §4.3), and the choice between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, final

from attrs import NOTHING, field, frozen
from attrs import fields as attributes
from attrs.validators import instance_of, optional

from .._validators import integer, non_empty_string
from ..models import Service, ServiceKind
from .base import (
    Raw,
    TypedOrder,
    check_drip_feed,
    find_wrong_amount,
    find_wrong_service,
    format_field,
    non_empty_lines,
    split_lines,
)


@final
@frozen(kw_only=True)
class Default(TypedOrder):
    """``quantity`` of a service for a ``link``; as drip-feed, ``runs`` times, every ``interval`` minutes.

    A drip-feed is charged ``quantity * runs`` at once.
    """

    kind: ClassVar[ServiceKind] = ServiceKind.DEFAULT
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    runs: int | None = field(default=None, validator=optional(integer(1)))
    interval: int | None = field(default=None, validator=optional(integer(1)))

    def __attrs_post_init__(self) -> None:
        """Check that a drip-feed has both of its fields."""
        check_drip_feed(self.runs, self.interval)


@final
@frozen(kw_only=True)
class Package(TypedOrder):
    """A package for a ``link``: it has no quantity, and the service's rate is its whole price."""

    kind: ClassVar[ServiceKind] = ServiceKind.PACKAGE
    link: str = field(validator=non_empty_string)


@final
@frozen(kw_only=True)
class Seo(TypedOrder):
    """``quantity`` for a ``link``, found by ``keywords``."""

    kind: ClassVar[ServiceKind] = ServiceKind.SEO
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    keywords: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)


@final
@frozen(kw_only=True)
class CustomComments(TypedOrder):
    """Comments for a ``link``, one for each line of ``comments``."""

    kind: ClassVar[ServiceKind] = ServiceKind.CUSTOM_COMMENTS
    counts: ClassVar[str | None] = "comments"
    link: str = field(validator=non_empty_string)
    comments: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)


@final
@frozen(kw_only=True)
class CustomCommentsPackage(TypedOrder):
    """A package of ``comments`` for a ``link``: the service's rate is its whole price."""

    kind: ClassVar[ServiceKind] = ServiceKind.CUSTOM_COMMENTS_PACKAGE
    link: str = field(validator=non_empty_string)
    comments: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)


@final
@frozen(kw_only=True)
class Mentions(TypedOrder):
    """``quantity`` mentions of ``usernames`` for a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.MENTIONS
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    usernames: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)


@final
@frozen(kw_only=True)
class MentionsWithHashtags(TypedOrder):
    """``quantity`` mentions of ``usernames``, with ``hashtags``, for a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.MENTIONS_WITH_HASHTAGS
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    usernames: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)
    hashtags: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)


@final
@frozen(kw_only=True)
class MentionsCustomList(TypedOrder):
    """A mention of each of ``usernames`` for a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.MENTIONS_CUSTOM_LIST
    counts: ClassVar[str | None] = "usernames"
    link: str = field(validator=non_empty_string)
    usernames: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)


@final
@frozen(kw_only=True)
class MentionsHashtag(TypedOrder):
    """``quantity`` mentions of users of one ``hashtag`` for a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.MENTIONS_HASHTAG
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    hashtag: str = field(validator=non_empty_string)


@final
@frozen(kw_only=True)
class MentionsUserFollowers(TypedOrder):
    """``quantity`` mentions of followers of ``username`` (the profile's address) for a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.MENTIONS_USER_FOLLOWERS
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    username: str = field(validator=non_empty_string)


@final
@frozen(kw_only=True)
class MentionsMediaLikers(TypedOrder):
    """``quantity`` mentions of likers of ``media`` (its address) for a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.MENTIONS_MEDIA_LIKERS
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    media: str = field(validator=non_empty_string)


@final
@frozen(kw_only=True)
class CommentLikes(TypedOrder):
    """``quantity`` likes of the comment that ``username`` wrote at a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.COMMENT_LIKES
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    username: str = field(validator=non_empty_string)


@final
@frozen(kw_only=True)
class CommentReplies(TypedOrder):
    """Replies to the comment that ``username`` wrote at a ``link``, one for each line of ``comments``."""

    kind: ClassVar[ServiceKind] = ServiceKind.COMMENT_REPLIES
    counts: ClassVar[str | None] = "comments"
    link: str = field(validator=non_empty_string)
    username: str = field(validator=non_empty_string)
    comments: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)


@final
@frozen(kw_only=True)
class Poll(TypedOrder):
    """``quantity`` votes for answer number ``answer_number`` of the poll at a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.POLL
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    answer_number: int = field(validator=integer(0))


@final
@frozen(kw_only=True)
class InvitesFromGroups(TypedOrder):
    """``quantity`` invitations from ``groups`` (their addresses) for a ``link``."""

    kind: ClassVar[ServiceKind] = ServiceKind.INVITES_FROM_GROUPS
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    groups: tuple[str, ...] = field(converter=split_lines, validator=non_empty_lines)


@final
@frozen(kw_only=True)
class Subscriptions(TypedOrder):
    """``min`` to ``max`` for each new post of ``username``, ``delay`` minutes after it.

    ``posts`` new ones and ``old_posts`` existing ones at the most, until the
    day ``expiry``. Which delays a panel takes is its own affair.
    """

    kind: ClassVar[ServiceKind] = ServiceKind.SUBSCRIPTIONS
    username: str = field(validator=non_empty_string)
    min: int = field(validator=integer(1))
    max: int = field(validator=integer(1))
    posts: int | None = field(default=None, validator=optional(integer(1)))
    old_posts: int | None = field(default=None, validator=optional(integer(0)))
    delay: int = field(validator=integer(0))
    expiry: date | None = field(default=None, validator=optional(instance_of(date)))

    def __attrs_post_init__(self) -> None:
        """Refuse a least that is more than the most."""
        if self.min > self.max:
            msg = f"min is {self.min}, which is more than max, {self.max}"
            raise ValueError(msg)

    def problems(self, service: Service) -> tuple[str, ...]:
        """What the catalogue's row says against the order; nothing is sent (panel-api §3.2)."""
        found = super().problems(service)
        if find_wrong_service(self.service, service):
            return found
        bounds = [*find_wrong_amount("min", self.min, service), *find_wrong_amount("max", self.max, service)]
        return (*found, *bounds)


@final
@frozen(kw_only=True)
class WebTraffic(TypedOrder):
    """``quantity`` visits of a ``link``; as drip-feed like ``Default``.

    ``country`` is a code or a name. ``device``: 1 desktop, 2 Android, 3 iOS,
    4 both of these, 5 all. ``type_of_traffic``: 1 from a search for
    ``google_keyword``, 2 from ``referring_url``, 3 from nowhere.
    """

    kind: ClassVar[ServiceKind] = ServiceKind.WEB_TRAFFIC
    link: str = field(validator=non_empty_string)
    quantity: int = field(validator=integer(1))
    runs: int | None = field(default=None, validator=optional(integer(1)))
    interval: int | None = field(default=None, validator=optional(integer(1)))
    country: str = field(validator=non_empty_string)
    device: int = field(validator=integer(1, 5))
    type_of_traffic: int = field(validator=integer(1, 3))
    google_keyword: str | None = field(default=None, validator=optional(non_empty_string))
    referring_url: str | None = field(default=None, validator=optional(non_empty_string))

    def __attrs_post_init__(self) -> None:
        """Check that a drip-feed and a traffic source have all of their fields."""
        check_drip_feed(self.runs, self.interval)
        wanted = _SOURCES.get(self.type_of_traffic)
        if wanted is not None and getattr(self, wanted) is None:
            msg = f"type_of_traffic {self.type_of_traffic} needs {wanted}"
            raise ValueError(msg)


_SOURCES = {1: "google_keyword", 2: "referring_url"}


_TYPES: tuple[type[TypedOrder], ...] = (
    Default,
    Package,
    Seo,
    CustomComments,
    CustomCommentsPackage,
    Mentions,
    MentionsWithHashtags,
    MentionsCustomList,
    MentionsHashtag,
    MentionsUserFollowers,
    MentionsMediaLikers,
    CommentLikes,
    CommentReplies,
    Poll,
    InvitesFromGroups,
    Subscriptions,
    WebTraffic,
)
_BY_KIND: Mapping[ServiceKind, type[Any]] = {class_.kind: class_ for class_ in _TYPES}


def for_service(service: Service, **fields: object) -> TypedOrder | Raw:
    """Create an order of the class for the service's kind, a ``Raw`` one if the kind is unknown.

    Raises:
        TypeError: a field is unknown, missing, or of a type that a form cannot hold.
        ValueError: a field is out of its bounds.
    """
    class_ = _BY_KIND.get(service.kind)
    if class_ is None:
        extra: Any = fields.pop("extra", {})
        given = {name: _format_any_field(name, value) for name, value in fields.items() if value is not None}
        return Raw(service=service.service, extra={**given, **extra})
    if unknown := sorted(fields.keys() - fields_of(service.kind)):
        msg = f"{class_.__name__} takes {', '.join(fields_of(service.kind))}, and not {', '.join(unknown)}"
        raise TypeError(msg)
    wanted = [one.name for one in attributes(class_) if one.default is NOTHING and one.name != "service"]
    if missing := [name for name in wanted if name not in fields]:
        msg = f"{class_.__name__} needs {', '.join(missing)}, too"
        raise TypeError(msg)
    order: TypedOrder = class_(service=service.service, **fields)
    return order


def _format_any_field(name: str, value: object) -> str:
    """Format the value of a field that this library does not know."""
    if isinstance(value, (str, int, Decimal, date)) and not isinstance(value, bool):
        return format_field(value)
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        msg = f"{name} is a text, a number, a date or lines, and not {type(value).__name__}"
        raise TypeError(msg)
    return format_field(split_lines(value))


def fields_of(kind: ServiceKind) -> tuple[str, ...]:
    """Return the names of the fields that orders of a kind take, none if it is unknown."""
    class_ = _BY_KIND.get(kind)
    return () if class_ is None else tuple(one.name for one in attributes(class_) if one.name != "service")
