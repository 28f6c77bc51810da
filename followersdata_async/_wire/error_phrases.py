"""The phrases with which panels reject requests, and what each of them means (panel-api §10.3).

Panels share no codes: the same rejection is a sentence, a key like
``neworder.error.not_enough_funds`` or a number, in several languages. Messages
are compared without case, accents, punctuation and ``_``. The first meaning in
the table with a matching phrase decides, so its order matters.

Faults are phrases of a panel that has failed itself: an exception, a database or
a supplier that did not respond. Several panels charge the account first and
then report such a fault with HTTP 200, so it does not prove that a write was
not carried out.
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


@final
@frozen
class Meaning:
    """What a message means: an error class, and whether the panel reports a fault of its own."""

    error_class: type[PanelError]
    is_fault: bool = False


_ID_IS_MISSING = (
    r"^orders? (is |are )?(a )?required$|orders? ids? (is |are )?(a )?required( parameter)?"
    r"|orders? (parameters?|fields?) (is|are) (required|missing)"
    r"|missing (required )?(parameters? )?orders?( ids?| parameters?| or orders?|$)"
    r"|(provide|specify|enter) (an |the |your )?orders? ids?$"
    r"|siparis (numarasi|id|kimligi)( id)? (gerekli|zorunlu|eksik|giriniz)|(eksik|gerekli) siparis"
    r"|(id do )?pedido( id)? (e )?obrigatori[oa]|(falta|informe) o? ?(id do )?pedido"
    r"|(не указан|укажите|отсутствует|требуется) (id |номер )?заказа?|(id|номер) заказа обязател\w+"
    r"|(thieu|vui long nhap) (ma |id )?don hang|(ma |id )?don hang (la )?bat buoc"
)
"""The request has no order id: said by panels that know ``order`` and not ``orders``, or the other way round."""

_TABLE: tuple[tuple[Meaning | type[PanelError], tuple[str, ...]], ...] = (
    (
        Meaning(TemporaryPanelError, is_fault=True),
        (
            r"(data ?base|sql\w*|query|syntax|fatal|parse|runtime) (error|exception)|prisma",
            r"(key|type|value|index|attribute|reference|range|syntax|runtime|integrity|operational|programming)error",
            r"sqlstate|deadlock|duplicate (key|entry)|constraint (failed|violation)|could not execute statement",
            r"\w*exceptions?|traceback|stack trace|segmentation fault|out of memory",
            r"undefined (variable|index|offset|property|method|function|array key)|cannot read propert\w+|null pointer",
            r"(trying to get|attempt to read) property|nonetype object|call to (a member function|undefined)",
            r"allowed memory size|maximum execution time|status code 5\d\d",
            r"(failed|unable|could not|cannot) (to )?(parse|decode|read|connect|reach|fetch)",
            r"(empty|invalid|no|bad|unexpected) (reply|response|answer) (from|by)|unexpected (token|end of|eof)",
            r"timed out|time ?out|(timeout|deadline) exceeded|curl|ssl error|could not resolve|getaddrinfo",
            r"econn\w+|etimedout|enotfound|socket hang up|connection (failed|refused|reset|error|closed|lost)",
            r"(bad|error) gateway|gateway (error|time ?out)|internal (server )?error|error 5\d\d",
            r"(system|server|network|api connection|provider|upstream|supplier) (error|failure|connection failed)",
            r"(provider|upstream|supplier|server) (did not|does not|didn t|doesn t|is not) respond\w*",
            r"(provider|upstream|supplier) (has )?returned an? (error|invalid)",
            r"(sistem|sunucu|veri ?tabani|baglanti|saglayici) hatasi|dahili hata|zaman asimi",
            r"erro (interno|(no|do) servidor|do sistema|no banco|de (conexao|banco))|painel nao respond\w*",
            r"tempo (limite )?(esgotado|excedido)",
            r"(внутренняя|системная|серверная) ошибка|ошибка (сервера|системы|базы|соединения|подключения|провайдера)",
            r"превышено время|время ожидания",
            r"loi (he thong|may chu|noi bo|co so du lieu|ket noi|mang)|het thoi gian|qua thoi gian",
        ),
    ),
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
            r"temporarily (disabled|closed|suspended|stopped|paused|off(line)?)",
            r"bakim(da|dayiz)?|gecici olarak (kapali|durduruldu|devre disi)",
            r"manutencao|temporariamente (desativad[oa]|suspens[oa]|fechad[oa])",
            r"техническ\w+ работ\w*|на обслуживании|временно (отключ|приостановл|закрыт)\w*",
            r"bao tri|tam (ngung|dung|khoa)",
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
            r"order not found|order does not exist|no order was placed with this order id",
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
            _ID_IS_MISSING,
            r"orders? (parameters?|fields?) (is|are) invalid",
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
    (
        Meaning(TemporaryPanelError, is_fault=True),
        (
            r"temporarily",
            r"try (again )?later|please try again",
            r"(daha )?sonra (tekrar|yeniden) dene\w*|(tekrar|yeniden) deneyin\w*|gecici olarak",
            r"tente (novamente )?mais tarde|tente novamente|temporariamente",
            r"(попробуите|повторите) (попытку |еще раз )?(позже|позднее|снова)?|временно",
            r"thu lai( sau)?|tam thoi",
        ),
    ),
    (
        Meaning(PanelError, is_fault=True),
        (
            r"(unknown|unexpected|unhandled|general) error|something went wrong|whoops|oops",
            r"error (has )?(occurred|while|during|processing)|service unavailable|request failed",
            r"(failed|unable) to (create|place|add|process|submit|save|complete)",
            r"(could not|couldn t|cannot|can t) (be )?(created?|placed?|process(ed)?|submit(ted)?|saved?|completed?)",
            r"(bir|bilinmeyen|beklenmeyen|beklenmedik) hata|hata olustu|(bir )?seyler (ters|yanlis) gitti",
            r"(siparis|islem) (olusturulamadi|gerceklestirilemedi|basarisiz|tamamlanamadi)",
            r"(ocorreu|houve) um (erro|problema)|erro (inesperado|desconhecido)|algo deu errado",
            r"(falha|erro) ao (criar|processar|enviar|salvar|adicionar)|nao foi possivel (criar|processar|enviar)",
            r"(произошла|возникла|неизвестная|непредвиденная) ошибка|что то пошло не так",
            r"ошибка при (создании|обработке|отправке|добавлении)|не удалось (создать|обработать|отправить|выполнить)",
            r"(da )?(xay ra|co) loi|loi khong (xac dinh|mong muon)|co gi do khong on",
            r"khong the (ket noi|tao|xu ly|gui)|(tao|dat|gui) don( hang)? (that bai|khong thanh cong)",
        ),
    ),
)
"""Phrases as patterns, whole words only, over texts without case, accents and punctuation.

English and PerfectPanel's keys, then Turkish, Portuguese, Russian (whose й
counts as an accented и) and Vietnamese. The first faults are certain whatever
else the message says; the last ones are vague, so definite phrases go before.
"""


@cache
def _compile_patterns() -> Sequence[tuple[Meaning, re.Pattern[str]]]:
    """Compile the table at the first rejection: it takes longer than importing this module."""
    return [
        (meaning if isinstance(meaning, Meaning) else Meaning(meaning), re.compile(rf"\b(?:{'|'.join(phrases)})\b"))
        for meaning, phrases in _TABLE
    ]


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

    def says_id_is_missing(self, message: str) -> bool:
        """Return whether a rejection says that the request has no order id: then the panel has done nothing."""
        return re.search(rf"\b(?:{_ID_IS_MISSING})\b", normalize_text(message)) is not None

    def find_meaning(self, message: str) -> Meaning | None:
        """Return what a message means, or ``None`` if none of its phrases is known."""
        normalized = normalize_text(message)
        for phrase, class_ in self.own.items():
            if normalize_text(phrase) in normalized:
                return Meaning(class_)
        for meaning, pattern in _compile_patterns():
            if pattern.search(normalized):
                return meaning
        return None

    def classify(self, messages: Iterable[str], codes: Iterable[str], status: int) -> tuple[Meaning | None, str]:
        """Return what a rejection means, and the message that decides it.

        Messages count before codes, codes before the HTTP status. The meaning
        is ``None`` if none of them is known; then the message is the first one.
        With HTTP 4xx the panel has checked the request, so faults do not count.
        """
        filled = [message for message in messages if message.strip()]
        is_checked = _CLIENT_ERROR <= status < _SERVER_ERROR
        for message in filled:
            if (meaning := self.find_meaning(message)) is not None:
                if not is_checked or not meaning.is_fault:
                    return meaning, message
                if meaning.error_class is not PanelError:
                    return Meaning(meaning.error_class), message
        first = filled[0] if filled else ""
        for code in codes:
            if class_ := _CODES.get(code):
                return Meaning(class_), first or code
        by_status = _BY_STATUS.get(status)
        return Meaning(by_status) if by_status else None, first


_CLIENT_ERROR, _SERVER_ERROR = 400, 500


def normalize_text(text: str) -> str:
    """Return the text in lower case, without accents, with punctuation and ``_`` replaced by single blanks."""
    letters = unicodedata.normalize("NFKD", text.casefold()).translate(_UNDECOMPOSED)
    return _PUNCTUATION.sub(" ", _ACCENTS.sub("", letters)).strip()


_UNDECOMPOSED = str.maketrans({"\u0131": "i", "\u0111": "d"})
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
_PUNCTUATION = re.compile(r"[\W_]+")
