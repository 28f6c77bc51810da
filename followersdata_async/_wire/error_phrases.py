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
from .scalars import normalize_text


@final
@frozen
class Meaning:
    """What a message means: an error class, and whether the panel reports a fault of its own.

    A certain fault outweighs all other messages of the response. An uncertain
    one only counts if no message gives a reason.
    """

    error_class: type[PanelError]
    is_fault: bool = False
    is_certain: bool = False


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

_NETWORKS = ("instagram", "tiktok", "facebook", "twitter", "youtube", "telegram", "spotify", "twitch", "target", "link")
_NOT_OF_TARGET = "".join(rf"(?<!\b{network} )" for network in _NETWORKS)
"""Before the word account: not one of a social network, to which the order is delivered."""

_TABLE: tuple[tuple[Meaning | type[PanelError], tuple[str, ...]], ...] = (
    (
        Meaning(TemporaryPanelError, is_fault=True, is_certain=True),
        (
            r"(data ?base|sql\w*|query|syntax|fatal|runtime|internal) (error|exception)",
            r"mysql\w*|postgres\w*|mongo\w*|redis|pdo|sqlstate|prisma|eloquent|sequelize|doctrine|hibernate|guzzle\w*|axios",
            r"(key|type|value|index|attribute|reference|range|syntax|runtime|integrity|operational|programming)error",
            r"deadlock|duplicate (key|entry)|constraint (failed|violation)|could not execute statement",
            r"access denied for user|too many connections|lock wait|no space left|read only (database|file system)",
            r"\w*exceptions?|traceback|stack (trace|overflow)|core dumped|segmentation fault|out of memory",
            r"panic|goroutine|cannot read propert\w+",
            r"undefined (variable|index|offset|property|method|function|constant|class|(array )?key)",
            r"(trying to get|attempt to read) property|non ?object|nonetype|call to (a member function|undefined)",
            r"class (\w+ )+not found|division by zero|null (pointer|reference)|nil pointer|object reference not set",
            r"(index|offset) out of (range|bounds)|has no attribute|unsupported operand|array to string|illegal string",
            r"is not (a function|defined|iterable|callable|a constructor)|of (undefined|null)|must be of (the )?type",
            r"(too few|missing) (required )?(positional )?arguments|argument \d+ passed|no such file",
            r"allowed memory size|maximum execution time|status code 5\d\d|http (error |status )?5\d\d",
            r"(empty|invalid|no|bad|unexpected) (reply|response|answer) (from|by)|eof",
            r"unexpected (token|end|character)|maximum call stack",
            r"curl|ssl error|tls handshake|could not resolve|getaddrinfo|name resolution|no route to host|unreachable",
            r"econn\w+|etimedout|enotfound|eai again|socket hang up|broken pipe|fetch failed|connection reset by peer",
            r"(bad|error) gateway|gateway (error|time ?out)|internal (server )?error|(server|program) crashed",
            r"(system|server|network|api connection|provider|upstream|supplier) (error|failure|connection failed)",
            r"(provider|upstream|supplier) (api )?(did not|does not|didn t|doesn t|is not|not) respond\w*",
            r"(provider|upstream|supplier) (api )?(has )?returned an? (error|invalid)|(operation|request) timed out",
            r"(sistem|sunucu|veri ?tabani|saglayici|ic) hatasi|dahili hata|zaman asim\w*|saglayicidan (yanit|cevap)",
            r"(sunucu|saglayici) (yanit|cevap) verm\w+|veri ?tabani\w*",
            r"erro (interno|(no|do|de) servidor|do sistema|(no|de|do) banco|de (conexao|comunicacao|rede))",
            r"(painel|fornecedor) nao respond\w*|tempo (limite )?(esgotado|excedido)|falha (na|de) (conexao|rede)",
            r"(внутренняя|системная|серверная) ошибка|сбои (сервера|системы|сети)",
            r"ошибка (сервера|системы|базы|соединения|подключения|провайдера|сети)",
            r"превышено время|время ожидания|таимаут|провайдер не отвечает|база данных",
            r"loi (he thong|may chu|server|noi bo|co so du lieu|ket noi|mang)|het thoi gian|qua thoi gian",
        ),
    ),
    (
        RateLimitedError,
        (
            r"rate limit",
            r"too many (failed )?(requests|attempts)",
            r"slow down",
            r"blocked for \d+ seconds|(must|please|have to) wait \d+ ?(s|sec|seconds?|m|min|minutes?)",
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
            r"(missing|invalid|incorrect|wrong|unknown) key(?! ?words?)",
            r"unauthenticated|unauthorized(?! (link|url|domain))|authentication failed",
            r"access denied|ip (address )?(is )?not (allowed|whitelisted)",
            r"api (access )?(is |has been )?disabled?(?! service)",
            (
                rf"{_NOT_OF_TARGET}account (is |was |has been )?"
                r"(not active|inactive|suspended|restricted|banned|disabled|blocked)"
            ),
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
            r"(not enough|insufficient|sufficient|out of|no|low) (funds?|balance|money|credits?)",
            r"lack of (funds|balance)",
            r"(balance|funds|credits?) (is |are )?(insufficient|not enough|not sufficient|(too )?low)",
            r"(exceeds?|more than) (your )?(available )?balance|(please )?(add|deposit|top ?up) (funds|your balance)",
            r"bakiye\w* (yetersiz|yok|yetmiyor|dusuk)|yetersiz (bakiye|kredi)|yeterli bakiye\w* (yok|bulunm)\w*",
            r"saldo (insuficiente|baixo)|sem saldo|(fundos|creditos) insuficientes",
            r"недостаточно (средств|денег|баланса)|недостаточныи баланс",
            r"so du (tai khoan )?(cua ban )?khong du|khong du (so du|tien)",
        ),
    ),
    (
        ConflictError,
        (
            r"active order with this link|until (the )?order being completed",
            r"the same link|link duplicate|duplicate (order|link)|identical order|too many orders",
            r"(order|link) (is )?already (exists?|in ?progress|in queue|active|added|placed|ordered|used)",
            r"previous order|(daily|order|orders) limit (exceeded|reached)|max(imum)? (active|number of) orders",
            r"already (have|has) an? (active |pending )?order|already an? (active |pending )?order|less than 24 hours",
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
            r"missing data|missing (required )?(order |orders )?(parameter|field)|parameter is required",
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
            r"service (is )?(currently )?(disabled|inactive|closed|deleted|not (active|available))",
            r"(this|the|selected) service (is )?(currently )?(unavailable|not available|disabled|closed)",
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
            r"(invalid|incorrect) interval|interval error|not support dripfeed",
            r"drip ?feed (is )?not (available|supported|allowed)|must be (greater|less|at least|between)",
            r"incorrect (runs|interval|comments?|usernames?|hashtags?|min|max|posts|delay|expiry|media)",
            r"incorrect (answer number|keywords?|groups?|country|device|type of traffic)",
            r"incorrect (google keyword|referring url|old posts)",
            r"(invalid|incorrect|wrong|bad) (url|username|user name|target|comments?|profile|post|video|channel)",
            r"(url|username|profile|post|comments?) (field )?(is|are) (required|invalid|incorrect|not valid|empty)",
            r"(link|url|username|keyword) (is )?(black ?listed|banned|blocked|not (allowed|supported|valid|found))",
            (
                r"(could not|couldn t|failed to|unable to|cannot|can t) (parse|read|fetch|find|open|get|load) "
                r"(the |your |this )?(link|url|profile|post|video|user(name)?|account|page|channel|media)"
            ),
            r"(private|closed) (account|profile|channel|page|post|link)|unauthorized (link|url|domain)|key ?words?",
            r"(account|profile|channel|page|post|link) (is |must be |should be )(set to |not )?(private|public)",
            r"(comments?|usernames?|keywords?|hashtags?) (can ?not|must not|can t) be empty",
            (
                rf"({'|'.join(_NETWORKS)}) account (is |was |has been )?"
                r"(not found|inactive|suspended|restricted|banned|deleted|does not exist)"
            ),
            r"gizli (hesap|profil)|(hesap|profil)\w* gizli|(conta|perfil) (e |esta )?privad[oa]",
            r"(закрыт|приватн)\w+ (аккаунт|профиль|канал)|(аккаунт|профиль|канал) (закрыт|приватн)\w*",
            r"(tai khoan|trang ca nhan) (dang )?(o che do )?rieng tu",
            r"(gecersiz|hatali) (link|baglanti)|(link|baglanti)\w* (gecersiz|hatali)",
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
            r"cancel(lations?)? (is |are )?(disabled|not (allowed|available|supported))|can ?(not|t) (be )?cancel\w*",
            r"not eligible|already (been )?(completed|cancell?ed|partially completed|refunded)",
            r"refill (period|time|guarantee) (is |has )?(over|expired|ended)|no refill",
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
            r"(failed|unable|could not|cannot) (to )?(parse|decode|read|connect|reach|fetch)|parse error",
            r"timed out|time ?out|deadline exceeded|connection (failed|refused|reset|error|closed|lost|aborted)",
            r"error 5\d\d|baglanti hatasi",
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
            r"^(an |server )?(error|failed|failure|fail|unknown|hata|erro|falha|ошибка|loi|gagal)$",
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
        known = [(meaning, message) for message in filled if (meaning := self.find_meaning(message)) is not None]
        if _CLIENT_ERROR <= status < _SERVER_ERROR:
            known = [
                (Meaning(meaning.error_class), message)
                for meaning, message in known
                if not meaning.is_fault or meaning.error_class is not PanelError
            ]
        if known:
            return min(known, key=lambda found: (not found[0].is_certain, found[0].is_fault))
        first = filled[0] if filled else ""
        for code in codes:
            if class_ := _CODES.get(code):
                return Meaning(class_), first or code
        by_status = _BY_STATUS.get(status)
        return Meaning(by_status) if by_status else None, first


_CLIENT_ERROR, _SERVER_ERROR = 400, 500
