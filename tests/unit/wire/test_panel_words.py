"""Words to classes. The samples have a panel's words; here is what decides between them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from followersdata_async import errors
from followersdata_async._wire import panel_words
from followersdata_async._wire.panel_words import Meaning, PanelWords
from followersdata_async.errors import (
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

TABLE = tomllib.loads((Path(panel_words.__file__).with_name("error_phrases.toml")).read_text(encoding="utf-8"))[
    "meaning"
]
LANGUAGES = {"en", "tr", "pt", "ru", "vi", "id", "zh"}


@pytest.mark.parametrize("group", TABLE, ids=lambda group: f"{group['class']} {group.get('fault', '')}")
def test_the_table_of_phrases_is_complete(group: dict[str, Any]) -> None:
    """Each phrase is a text or a pattern, of a language and a source, and has the meaning of its group."""
    assert issubclass(getattr(errors, group["class"]), PanelError)
    assert group.get("fault", "vague") in {"certain", "vague"}
    for entry in group["phrases"]:
        assert entry["language"] in LANGUAGES
        assert entry["source"]
        assert ("phrase" in entry) != ("pattern" in entry)
        assert entry.get("says", "id is missing") == "id is missing"
        assert entry.keys() <= {"language", "source", "phrase", "pattern", "says"}
        if "phrase" in entry:
            assert class_of(entry["phrase"]) is getattr(errors, group["class"])
        else:
            # Messages are compared in lower case and without accents.
            text = re.sub(r"\\.", "", entry["pattern"])
            assert text == text.lower()
            assert re.compile(entry["pattern"])


WORDS: dict[type[PanelError], list[str]] = {
    AuthenticationError: [
        "Invalid API key",
        "Incorrect request or API key",
        "api_key is required",
        "Your account is inactive",
        "Access denied",
        "IP is not whitelisted",
        "Account suspended",
        "neworder.error.account_banned",
        "API is disable for this user or user not found! Contact the support",
        "API key hatalı",
        "Hesabınız pasif",
        "Geçersiz API anahtarı",
        "Chave de API inválida",
        "Неверный API ключ",
        "Khóa API không hợp lệ",
        "API bu kullanıcı için Devre Dışı Bırak veya Kullanıcı Bulunamadı! Destek ile iletişime geçin",
    ],
    RateLimitedError: [
        "Rate limit exceeded",
        "Too many requests",
        "Too Many Attempts.",
        "Blocked for 60 seconds",
        "Order timeout: you must wait 30 seconds",
        "Çok fazla istek",
        "Muitas requisições",
        "Слишком много запросов",
        "Quá nhiều yêu cầu",
        "Too many invalid requests, try again later",
    ],
    TemporaryPanelError: [
        "The site is under maintenance",
        "Unknown error, please try again later",
        "internal_server_error",
        "Service temporarily disabled",
        "Hệ thống đang bảo trì!",
        "Sistem bakımda",
        "Daha sonra tekrar deneyin",
        "Tente novamente mais tarde",
        "Попробуйте позже",
    ],
    InsufficientFundsError: [
        "Not enough funds on balance",
        "neworder.error.not_enough_funds",
        "insufficient_balance",
        "Low balance",
        "Not enough credits",
        "Your balance is too low",
        "Error 501: not enough funds",
        "You don't have sufficient balance.",
        "Balance not enough !",
        "Bakiyeniz yetersiz",
        "Yetersiz bakiye",
        "Saldo insuficiente",
        "Недостаточно средств на балансе",
        "Số dư không đủ",
        "Bu siparişi vermek için yeterli paranız yok",
        "Bakiyede yeterli para yok",
        "餘額不足",
        "您的账户余额不足,请充值",
        "Saldo tidak cukup",
        "Saldo Anda tidak mencukupi",
    ],
    ConflictError: [
        "You have active order with this link. Please wait until order being completed.",
        "neworder.error.link_duplicate",
        "Gönderim olan bağlantıya yeni bir sipariş giremezsiniz",
        "Refill will be available in 9 hours 3 minutes",
        "Refill inprogress",
        "Duplicate order",
        "Order already exists",
        "This link is already in progress",
        "You already have an active order for this link",
        "Cancel already requested",
        "The order is not completed",
        "У вас уже есть активный заказ с этой ссылкой",
        "There is already an active order for this link",
        "Active order already exists for this link",
        "An order for this link is already being processed",
        "Previous order failed: Not enough funds on balance. You can reorder this link after it.",
    ],
    RefillNotFoundError: ["Refill not found", "Refill Request Not found", "error.incorrect_refill_id"],
    OrderNotFoundError: [
        "Incorrect order ID",
        "Order not found.",
        "The selected order id is invalid.",
        "Sipariş bulunamadı.",
        "Pedido não encontrado",
        "Заказ не найден",
        "Không tìm thấy đơn hàng",
        "Yanlış Sipariş Kimliği (ID)",
        "No order was placed with this ORDER ID.",
    ],
    InvalidRequestError: [
        "Incorrect request",
        "Unknown action: x",
        "Missing data",
        "Eksik veri",
        "Geçersiz istek",
        "Eksik gerekli parametreler var. Lütfen API Kılavuzunuzu kontrol edin",
        "Bu işlem geçersiz",
        "There are missing required parameters. Please check your API Manual",
        "Missing required parameters: service, link, quantity",
        "Missing required parameter: link",
        "This action is invalid",
        "Order parameter is invalid.",
    ],
    ServiceNotFoundError: [
        "Incorrect service ID",
        "Service ID does not exists",
        "Disabled service ID",
        "Service is not active",
        "This service is currently unavailable",
        "Service closed",
        "neworder.error.service_inactive",
        "neworder.error.incorrect_service_id",
        "Servis bulunamadı",
        "Serviço não encontrado",
        "Услуга не найдена",
        "Dịch vụ không tồn tại",
        "Servis mevcut değil",
        "Servis Kimliği (ID) mevcut değil",
    ],
    InvalidOrderError: [
        "Bad link",
        "Invalid URL",
        "Invalid username",
        "The link is blacklisted",
        "The account is private",
        "Private profile",
        "Account must be public",
        "Could not parse link",
        "Unable to fetch profile",
        "Parse error: invalid link",
        "Your Instagram account is restricted",
        "Target account is banned",
        "Unauthorized link",
        "Invalid key words",
        "Comments are required",
        "Gizli hesap",
        "Bağlantı hatası: geçersiz link",
        "Perfil privado",
        "Профиль закрыт",
        "Tài khoản riêng tư",
        "Quantity less than minimal 50",
        "neworder.error.max_quantity",
        "neworder.error.not_enough_quantity",
        "neworder.error.comment",
        "neworder.error.link",
        "Incorrect usernames",
        "Please follow the limit",
        "Invalid Interval in minutes",
        "Geçersiz bağlantı",
        "Quantidade inválida",
        "Неверная ссылка",
        "Số lượng không hợp lệ",
        "Miktar minimum miktara eşit veya daha büyük olmalıdır 100",
        "Miktar maksimum miktara eşit veya daha az olmalıdır 5000",
        "Bağlantı gerekli",
        "Yorumlar alanı zorunludur",
        "Miktar gereklidir",
        "Quantity must to be greater than or equal to minimum amount 100",
        "You can order between 10 and 100 units for this service.",
        "Comments must be between 5 and 50",
        "Maximum per link is 1000",
    ],
    NotSupportedError: [
        "Refill is disabled for this service",
        "Refill period expired",
        "Order already completed",
        "Cancel is not available",
        "This order cannot be canceled",
        "Order can't be cancelled",
        "You are not eligible to cancel this order.",
        "Dịch vụ này không hỗ trợ hủy đơn",
        "Ordering is disabled",
        "Service does not support refill",
        "This service doesn't support cancel",
        "Refill is not supported",
        "Order is not refillable",
        "This feature is not available for your account.",
    ],
}


def class_of(text: str, phrases: PanelWords | None = None) -> type[PanelError] | None:
    """The error class of a message, ``None`` if it is not known."""
    meaning = (phrases or PanelWords()).find_meaning(text)
    return meaning.error_class if meaning else None


@pytest.mark.parametrize(("class_", "text"), [(class_, text) for class_, texts in WORDS.items() for text in texts])
def test_a_panels_words_mean_a_class(class_: type[PanelError], text: str) -> None:
    """In English, as PerfectPanel's keys, in Turkish, Portuguese, Russian and Vietnamese."""
    assert class_of(text) is class_


@pytest.mark.parametrize("class_", list(WORDS))
def test_case_and_punctuation_do_not_matter(class_: type[PanelError]) -> None:
    """Panels copy each other's sentences, each a little differently."""
    for text in WORDS[class_]:
        assert class_of(f"  ¡{text.upper()}!! ") is class_


@pytest.mark.parametrize("text", ["", "Something else", "Completed", "Your keyboard", "Limited edition"])
def test_words_nobody_knows_mean_no_class(text: str) -> None:
    """Only whole words count."""
    assert class_of(text) is None


def test_a_users_own_words_come_first() -> None:
    """They may also overrule a built-in one."""
    words = PanelWords({"Bakiye YOK": InsufficientFundsError, "order id": PanelError})
    assert class_of("Hata: bakiye yok!", words) is InsufficientFundsError
    assert class_of("Incorrect order ID", words) is PanelError


@pytest.mark.parametrize(
    ("texts", "codes", "status", "verdict"),
    [
        (["Order not found"], ["102"], 401, (OrderNotFoundError, "Order not found")),
        (["true", "Bad link"], [], 400, (InvalidOrderError, "Bad link")),
        (["Hmm"], ["102"], 200, (AuthenticationError, "Hmm")),
        ([], ["105"], 200, (ServiceNotFoundError, "105")),
        (["Hmm"], ["113"], 200, (None, "Hmm")),
        (["Hmm", "Well"], [], 403, (AuthenticationError, "Hmm")),
        (["Hmm"], [], 402, (InsufficientFundsError, "Hmm")),
        ([" "], [], 200, (None, "")),
    ],
)
def test_texts_decide_before_codes_and_codes_before_the_status(
    texts: list[str], codes: list[str], status: int, verdict: tuple[type[PanelError] | None, str]
) -> None:
    """And the deciding text is the message."""
    class_, message = verdict
    assert PanelWords().classify(texts, codes, status) == (Meaning(class_) if class_ else None, message)


def test_a_certain_fault_decides_before_reasons_and_reasons_before_vague_faults() -> None:
    """In whatever order the messages stand."""
    classify = PanelWords().classify
    for messages in (
        ["Bad link", "SQLSTATE[23000]", "Please try again"],
        ["Please try again", "SQLSTATE[23000]", "Bad link"],
    ):
        assert classify(messages, [], 200)[1] == "SQLSTATE[23000]"
        assert classify([message for message in messages if "SQL" not in message], [], 200)[1] == "Bad link"
        assert classify(messages, [], 422)[1] == messages[0]


@pytest.mark.parametrize(
    "text",
    [
        'Failed to place order on SMM Panel: {"error":"Not enough funds"}',
        'Response: {"error": "Bad link"}',
        "Provider: not enough funds",
        "Supplier balance is too low",
        "Not enough funds at the provider",
        "Sağlayıcıda bakiye yetersiz",
    ],
)
def test_what_a_supplier_said_is_no_refusal_of_the_panel(text: str) -> None:
    """Its lack of funds is not the caller's, and the panel may have taken the order."""
    meaning = PanelWords().find_meaning(text)
    assert meaning is not None
    assert meaning.is_fault


FAULTS = {
    "English": [
        "Server error",
        "System error",
        "Service temporarily unavailable",
        "Internal error, please try again",
        "internal_server_error",
        "Failed to parse provider response",
        "Empty response from provider",
        "Operation timed out after 30001 milliseconds with 0 bytes received",
        "Empty reply from server",
        "Provider API Connection Failed: Could not resolve host",
        'Database error: duplicate key value violates unique constraint "api_key_index"',
        "SQLSTATE[23000]: Integrity constraint violation: 1062 Duplicate entry '5' for key 'order_id'",
        "Undefined index: quantity",
        "Cannot read properties of undefined (reading 'balance')",
        "java.lang.NullPointerException",
        "502 Bad Gateway",
        "cURL error 28",
        "There was an error while creating your order.",
        "There was an error processing your request. Please try again later",
        "Something went wrong",
        "Unknown error",
        "Service Unavailable",
        "Request failed with status code 502",
        "connect ECONNREFUSED 127.0.0.1:3306",
        "socket hang up",
        "Attempt to read property 'id' on null",
        "KeyError: 'order'",
        "IntegrityError: UNIQUE constraint failed",
        "context deadline exceeded",
        "API provider returned an error",
        "Provider did not respond",
        "Failed to create order",
        "Order could not be processed",
        "MySQL server has gone away",
        "Access denied for user 'panel'@'localhost' (using password: YES)",
        "Too many connections",
        "Division by zero",
        "Class 'App\\Models\\Order' not found",
        "Call to undefined function curl_init()",
        "Array to string conversion",
        "foo is not a function",
        "Cannot destructure property 'id' of undefined",
        "'NoneType' object is not subscriptable",
        "list index out of range",
        "runtime error: invalid memory address or nil pointer dereference",
        "panic: index out of range [3]",
        "Object reference not set to an instance of an object.",
        "Maximum call stack size exceeded",
        "fetch failed",
        "read ECONNRESET",
        "unexpected EOF",
        "Server crashed",
        "Error",
        "Failed",
        "Unknown",
    ],
    "Turkish": [
        "Sistem hatası",
        "Sunucu hatası, lütfen daha sonra tekrar deneyin",
        "Veritabanı hatası",
        "Zaman aşımı",
        "Bir hata oluştu",
        "Beklenmeyen hata",
        "Sipariş oluşturulamadı",
        "Hata",
        "Bağlantı zaman aşımına uğradı",
        "Sağlayıcıdan yanıt alınamadı",
    ],
    "Portuguese": [
        "Erro interno",
        "Erro no servidor",
        "Tempo esgotado",
        "Ocorreu um erro",
        "Erro inesperado",
        "Falha ao criar pedido",
        "Tente novamente mais tarde",
        "Erro",
        "Erro de servidor",
        "Falha na conexão",
    ],
    "Russian": [
        "Ошибка сервера",
        "Внутренняя ошибка",
        "Системная ошибка",
        "Превышено время ожидания",
        "Произошла ошибка",
        "Не удалось создать заказ",  # noqa: RUF001 - Russian
        "Попробуйте позже",
        "Ошибка",
        "Таймаут",
    ],
    "Vietnamese": [
        "Lỗi hệ thống",
        "Lỗi",
        "Lỗi máy chủ",
        "Đã xảy ra lỗi",
        "Lỗi không xác định",
        "Không thể kết nối đến nhà cung cấp",
        "Hết thời gian chờ",
        "Vui lòng thử lại sau",
    ],
}


@pytest.mark.parametrize("text", [text for texts in FAULTS.values() for text in texts])
def test_a_fault_of_the_panel_proves_nothing(text: str) -> None:
    """Whatever else the message says."""
    meaning = PanelWords().find_meaning(text)
    assert meaning is not None
    assert meaning.is_fault


@pytest.mark.parametrize(("class_", "text"), [(class_, text) for class_, texts in WORDS.items() for text in texts])
def test_a_definite_refusal_is_no_fault(class_: type[PanelError], text: str) -> None:
    """Except for words that ask to come back later without saying why."""
    meaning = PanelWords().find_meaning(text)
    assert meaning is not None
    is_vague = class_ is TemporaryPanelError and "maintenance" not in text
    assert not meaning.is_fault or is_vague


@pytest.mark.parametrize(
    ("text", "class_"),
    [
        ("The site is under maintenance, try again later", TemporaryPanelError),
        ("Service temporarily disabled", TemporaryPanelError),
        ("Sistem bakımda, daha sonra tekrar deneyin", TemporaryPanelError),
        ("Refill not allowed , try again later", NotSupportedError),
        ("Not enough funds on balance, please try again", InsufficientFundsError),
    ],
)
def test_what_is_checked_before_anything_happens_is_no_fault(text: str, class_: type[PanelError]) -> None:
    """Also if the message asks to try again."""
    assert PanelWords().find_meaning(text) == Meaning(class_)


@pytest.mark.parametrize(
    ("text", "status", "class_"),
    [
        ("Server error", 400, TemporaryPanelError),
        ("Unknown error", 400, None),
        ("Unknown error", 403, AuthenticationError),
    ],
)
def test_with_http_4xx_a_fault_is_a_refusal(text: str, status: int, class_: type[PanelError] | None) -> None:
    """The panel has looked at the request."""
    assert PanelWords().classify([text], [], status) == (Meaning(class_) if class_ else None, text)


def test_a_users_own_phrase_is_no_fault() -> None:
    """The user knows the panel."""
    phrases = PanelWords({"server error": InvalidOrderError})
    assert phrases.find_meaning("Server error") == Meaning(InvalidOrderError)
