"""The phrases with which panels reject requests, and the error class of each (panel-api §10.3).

Panels share no codes: the same rejection is a sentence, a key like
``neworder.error.not_enough_funds`` or a number, in several languages. Messages
are compared without case, accents, punctuation and ``_``. The first class in
the table with a matching phrase decides, so its order matters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import final

from attrs import field, frozen

from ..errors import (
    AuthenticationError,
    ConflictError,
    InsufficientFundsError,
    InvalidOrderError,
    InvalidRequestError,
    NotSupportedError,
    OrderNotFoundError,
    PanelError,
    RateLimitedError,
    RefillNotFoundError,
    ServiceNotFoundError,
    TemporaryPanelError,
)

_TABLE: tuple[tuple[type[PanelError], tuple[str, ...]], ...] = (
    (
        RateLimitedError,
        (
            r"rate limit",
            r"too many (failed )?(requests|attempts)",
            r"slow down",
            r"blocked for \d+ seconds",
            r"(cok fazla|fazla sayida) (istek|deneme)",
            r"(muitas|excesso de|limite de) requisicoes|muitas tentativas",
            r"слишком много (запросов|попыток)|лимит запросов",
            r"qua nhieu (yeu cau|lan thu)",
        ),
    ),
    (
        AuthenticationError,
        (
            r"api key",
            r"(missing|invalid|incorrect|wrong|unknown) key",
            r"unauthenticated|unauthorized|authentication failed",
            r"api (access )?(is |has been )?disabled?",
            r"account (is |was |has been )?(not active|inactive|suspended|restricted|banned|disabled|blocked)",
            r"api anahtar\w*|hesab\w* (pasif|askida|aktif degil|kapali|engellendi)",
            r"chave (de |da )?api|conta (esta )?(inativa|suspensa|bloqueada|desativada)",
            r"api ключ\w*|ключ\w* api|аккаунт\w* (неактивен|не активен|заблокирован|приостановлен)",
            r"khoa api|api khong (hop le|dung)|tai khoan (da )?(bi )?(khoa|khong hoat dong)",
        ),
    ),
    (
        TemporaryPanelError,
        (
            r"maintenance",
            r"temporarily",
            r"try (again )?later",
            r"server error",
            r"bakim(da|dayiz)?|(daha )?sonra (tekrar|yeniden) dene\w*|gecici olarak",
            r"manutencao|tente (novamente )?mais tarde|temporariamente",
            r"техническ\w+ работ\w*|на обслуживании|(попробуите|повторите) (попытку )?позже|временно",
            r"bao tri|thu lai sau|tam thoi",
        ),
    ),
    (
        InsufficientFundsError,
        (
            r"(not enough|insufficient|sufficient) (funds|balance|money)",
            r"balance (is )?(insufficient|not enough|too low)",
            r"bakiye(niz)? (yetersiz|yok|yetmiyor)|yetersiz bakiye",
            r"saldo insuficiente|(fundos|creditos) insuficientes",
            r"недостаточно (средств|денег|баланса)|недостаточныи баланс",
            r"so du (tai khoan )?(cua ban )?khong du|khong du (so du|tien)",
        ),
    ),
    (
        ConflictError,
        (
            r"active order with this link|until (the )?order being completed",
            r"the same link|link duplicate|identical order|too many orders",
            r"less than 24 hours",
            r"refill (is )?(already|in ?progress|pending)|refill will be available",
            r"already (been )?requested",
            r"refill task is not completed|no more refills|order is not completed",
            r"yeni bir siparis (giremez|veremez)\w*|(bu|ayni) (link|baglanti)\w* (icin )?aktif|zaten (talep|aktif)",
            r"pedido ativo (com|para) (este|esse) link|mesmo link|ja (foi )?solicitad[oa]",
            r"активн\w+ заказ\w* (с|по|на) этои ссылк\w+|уже запрошен\w*",
            r"don hang dang (chay|hoat dong)|da (duoc )?yeu cau",
        ),
    ),
    (
        RefillNotFoundError,
        (
            r"refill (request |id )?not found",
            r"(incorrect|invalid) refill",
            r"(telafi|refill) (talebi )?bulunamadi",
            r"(refil|reposicao|refill) nao encontrad[oa]",
            r"(рефилл?|refill|докрутка) не наиден[ао]?",
            r"khong tim thay (yeu cau )?(bao hanh|refill)",
        ),
    ),
    (
        OrderNotFoundError,
        (
            r"order not found|order does not exist",
            r"(incorrect|invalid) order ids?|order id is (invalid|incorrect)",
            r"siparis (numarasi )?(bulunamadi|yok)|gecersiz siparis",
            r"pedido (nao encontrado|invalido)",
            r"заказ\w* не (наиден\w*|существует)|неверныи id заказа",
            r"khong tim thay don hang|don hang khong (ton tai|hop le)",
        ),
    ),
    (
        InvalidRequestError,
        (
            r"(incorrect|invalid) (request|parameters?|action|method)",
            r"unknown action|action is invalid",
            r"missing data|missing (required )?(order |orders )?parameter|parameter is required",
            r"(action|order|orders|refill|refills|service) field is required",
            r"eksik (veri|parametre)|gecersiz (istek|islem|parametre)",
            r"(requisicao|acao|parametros?) invalid[oa]s?",
            r"(неверн|некорректн)\w+ (запрос|деиствие|параметр)\w*",
            r"yeu cau khong hop le|(thieu|sai) (tham so|du lieu)|hanh dong khong hop le",
        ),
    ),
    (
        ServiceNotFoundError,
        (
            r"(incorrect|invalid|disabled|inactive) service",
            r"service (id )?(not found|does not exists?|is invalid)",
            r"service (is )?(disabled|inactive)",
            r"(servis|hizmet) (bulunamadi|pasif|aktif degil|kapali)|gecersiz (servis|hizmet)",
            r"servico (nao encontrado|invalido|inativo|desativado)",
            r"(услуга|сервис) (не наиден|отключен|неактивн)\w*|неверн\w+ (услуга|сервис|id услуги)",
            r"dich vu khong (ton tai|hop le|hoat dong)|khong tim thay dich vu",
        ),
    ),
    (
        InvalidOrderError,
        (
            r"(bad|invalid|incorrect) link|error link|link (field )?is (required|invalid|incorrect)|link format",
            r"quantity|minimum number|follow the limit|not a number",
            r"error comment",
            r"invalid interval|not support dripfeed",
            r"incorrect (runs|interval|comments?|usernames?|hashtags?|min|max|posts|delay|expiry|media)",
            r"incorrect (answer number|keywords?|groups?|country|device|type of traffic)",
            r"incorrect (google keyword|referring url|old posts)",
            r"(gecersiz|hatali) (link|baglanti)|(link|baglanti) (gecersiz|hatali)",
            r"(minimum|maksimum|gecersiz) (miktar|adet)|(miktar|adet) (gecersiz|en az|en fazla)",
            r"quantidade|link invalido",
            r"(неверн|некорректн)\w+ ссылк\w+|количество",
            r"so luong|(lien ket|link|duong dan) khong hop le",
        ),
    ),
    (
        NotSupportedError,
        (
            r"refill (is )?(disabled|not (allowed|available|supported))",
            r"cancel (is )?(disabled|not (allowed|available))|can ?(not|t) (be )?cancel(l?ed)?",
            r"not eligible|already completed or cancell?ed",
            r"ordering is disabled",
            r"(telafi|iptal|refill) (desteklenm|edilem|kapali|mevcut degil)\w*|iptal edilemez",
            r"(reposicao|refil|cancelamento) nao (disponivel|suportad[oa]|permitid[oa])|nao pode ser cancelado",
            r"(отмена|рефилл?|докрутка) (недоступн|не поддерживает|невозможн)\w*|нельзя отменить",
            r"khong ho tro|khong the huy",
        ),
    ),
)
"""Phrases as patterns, whole words only, over texts without case, accents and punctuation.

English and PerfectPanel's keys, then Turkish, Portuguese, Russian (whose й
counts as an accented и) and Vietnamese.
"""


@cache
def _compile_patterns() -> Sequence[tuple[type[PanelError], re.Pattern[str]]]:
    """Compile the table at the first rejection: it takes longer than importing this module."""
    return [(class_, re.compile(rf"\b(?:{'|'.join(phrases)})\b")) for class_, phrases in _TABLE]


_CODES: Mapping[str, type[PanelError]] = {
    "101": InvalidRequestError,
    "102": AuthenticationError,
    "103": AuthenticationError,
    "104": OrderNotFoundError,
    "105": ServiceNotFoundError,
    "107": InvalidOrderError,
    "108": InvalidOrderError,
    "109": InvalidOrderError,
    "110": InvalidOrderError,
}
"""The numbers of one family; its 113 is left out, as it means two things (panel-api §10.3)."""

_BY_STATUS: Mapping[int, type[PanelError]] = {
    401: AuthenticationError,
    402: InsufficientFundsError,
    403: AuthenticationError,
}


@final
@frozen(eq=False)
class ErrorPhrases:
    """The table above, preceded by a user's own phrases."""

    own: Mapping[str, type[PanelError]] = field(factory=dict, hash=False)

    def classify_message(self, message: str) -> type[PanelError] | None:
        """Return the class that a message stands for, or ``None``."""
        normalized = normalize_text(message)
        for phrase, class_ in self.own.items():
            if normalize_text(phrase) in normalized:
                return class_
        for class_, pattern in _compile_patterns():
            if pattern.search(normalized):
                return class_
        return None

    def classify(
        self, messages: Iterable[str], codes: Iterable[str], status: int
    ) -> tuple[type[PanelError] | None, str]:
        """Return the class of a rejection and the message that decides it.

        Messages count before codes, codes before the HTTP status. The class is
        ``None`` if none of them is known; then the message is the first one.
        """
        filled = [message for message in messages if message.strip()]
        for message in filled:
            if class_ := self.classify_message(message):
                return class_, message
        first = filled[0] if filled else ""
        for code in codes:
            if class_ := _CODES.get(code):
                return class_, first or code
        return _BY_STATUS.get(status), first


def normalize_text(text: str) -> str:
    """Return the text in lower case, without accents, with punctuation and ``_`` replaced by single blanks."""
    letters = unicodedata.normalize("NFKD", text.casefold()).translate(_UNDECOMPOSED)
    return _PUNCTUATION.sub(" ", _ACCENTS.sub("", letters)).strip()


_UNDECOMPOSED = str.maketrans({"\u0131": "i", "\u0111": "d"})
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
_PUNCTUATION = re.compile(r"[\W_]+")
