"""What the sandbox sells, of every type: the same for the same seed."""

from __future__ import annotations

from decimal import Decimal
from typing import final

from attrs import frozen

THOUSAND = Decimal(1000)

FLAT = frozenset({"Package", "Custom Comments Package", "Subscriptions"})
"""Types whose rate is the price of the whole (panel-api §4.3)."""

COUNTED = {"Custom Comments": "comments", "Mentions Custom List": "usernames", "Comment Replies": "comments"}
"""Types whose quantity is the number of a field's lines (panel-api §4.3)."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "SEO": ("keywords",),
    "Custom Comments Package": ("comments",),
    "Mentions": ("usernames",),
    "Mentions with Hashtags": ("usernames", "hashtags"),
    "Mentions Hashtag": ("hashtag",),
    "Mentions User Followers": ("username",),
    "Mentions Media Likers": ("media",),
    "Comment Likes": ("username",),
    "Comment Replies": ("username",),
    "Poll": ("answer_number",),
    "Invites from Groups": ("groups",),
    "Subscriptions": ("username", "min", "max", "delay"),
    "Web Traffic": ("country", "device", "type_of_traffic"),
}
"""What a type takes besides link and quantity (panel-api §4.3)."""


@final
@frozen(kw_only=True)
class Offer:
    """One service of the catalogue; ``rate`` is for 1000, of a package for the whole."""

    service: int
    name: str
    type: str
    category: str
    rate: Decimal
    min: int
    max: int
    refill: bool
    cancel: bool
    enabled: bool = True

    def row(self) -> dict[str, object]:
        """The row as the panel documents it: amounts and limits are texts."""
        return {
            "service": self.service,
            "name": self.name,
            "type": self.type,
            "category": self.category,
            "rate": str(self.rate),
            "min": str(self.min),
            "max": str(self.max),
            "refill": self.refill,
            "cancel": self.cancel,
        }

    def price(self, quantity: int) -> Decimal:
        """What ``quantity`` of it costs."""
        return self.rate if self.type in FLAT else self.rate * quantity / THOUSAND


MOST_SERVICES = 100_000


def mixed(seed: int, number: int) -> int:
    """A number that looks like chance and is not: 64 bits of splitmix64."""
    z = (seed * 0x9E3779B97F4A7C15 + (number + 1) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


_MASK = (1 << 64) - 1


def catalogue(seed: int, size: int) -> dict[int, Offer]:
    """``size`` services: one of each documented type, and then some whose terms follow the seed."""
    seeded = (_seeded(seed, service) for service in range(len(_DOCUMENTED) + 1, size + 1))
    return {offer.service: offer for offer in (*_DOCUMENTED[:size], *seeded)}


_DOCUMENTED = (
    Offer(
        service=1, name="Followers", type="Default", category="First Category",
        rate=Decimal("0.90"), min=50, max=10000, refill=True, cancel=True,
    ),
    Offer(
        service=2, name="Comments", type="Custom Comments", category="Second Category",
        rate=Decimal(8), min=10, max=1500, refill=False, cancel=True,
    ),
    Offer(
        service=3, name="Starter pack", type="Package", category="Third Category",
        rate=Decimal("4.50"), min=1, max=1, refill=False, cancel=False,
    ),
    *(
        Offer(
            service=service, name=f"{type_} {service}", type=type_, category="Third Category",
            rate=Decimal("1.20"), min=1, max=1 if "Package" in type_ else 5000, refill=service % 2 == 0, cancel=True,
        )
        for service, type_ in enumerate([*REQUIRED, "Mentions Custom List"], 4)
    ),
)  # fmt: skip


def _seeded(seed: int, service: int) -> Offer:
    chance = mixed(seed, service)
    return Offer(
        service=service,
        name=f"{('Likes', 'Views', 'Followers')[chance % 3]} {service}",
        type="Default",
        category=("First Category", "Second Category")[chance % 2],
        rate=Decimal(chance % 900 + 10) / 100,
        min=10,
        max=100000,
        refill=chance % 5 != 0,
        cancel=chance % 7 != 0,
    )
