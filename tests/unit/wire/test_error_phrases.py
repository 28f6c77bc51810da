"""Words to classes. The samples have a panel's words; here is what decides between them."""

from __future__ import annotations

import pytest

from followersdata_async._wire.error_phrases import ErrorPhrases
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

WORDS: dict[type[PanelError], list[str]] = {
    AuthenticationError: [
        "Invalid API key",
        "Incorrect request or API key",
        "api_key is required",
        "Your account is inactive",
        "Account suspended",
        "neworder.error.account_banned",
        "API is disable for this user or user not found! Contact the support",
        "API key hatalı",
        "Hesabınız pasif",
        "Geçersiz API anahtarı",
        "Chave de API inválida",
        "Неверный API ключ",
        "Khóa API không hợp lệ",
    ],
    RateLimitedError: [
        "Rate limit exceeded",
        "Too many requests",
        "Too Many Attempts.",
        "Blocked for 60 seconds",
        "Çok fazla istek",
        "Muitas requisições",
        "Слишком много запросов",
        "Quá nhiều yêu cầu",
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
        "You don't have sufficient balance.",
        "Balance not enough !",
        "Bakiyeniz yetersiz",
        "Yetersiz bakiye",
        "Saldo insuficiente",
        "Недостаточно средств на балансе",
        "Số dư không đủ",
    ],
    ConflictError: [
        "You have active order with this link. Please wait until order being completed.",
        "neworder.error.link_duplicate",
        "Gönderim olan bağlantıya yeni bir sipariş giremezsiniz",
        "Refill will be available in 9 hours 3 minutes",
        "Refill inprogress",
        "Cancel already requested",
        "The order is not completed",
        "У вас уже есть активный заказ с этой ссылкой",
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
    ],
    InvalidRequestError: ["Incorrect request", "Unknown action: x", "Missing data", "Eksik veri", "Geçersiz istek"],
    ServiceNotFoundError: [
        "Incorrect service ID",
        "Service ID does not exists",
        "Disabled service ID",
        "neworder.error.service_inactive",
        "neworder.error.incorrect_service_id",
        "Servis bulunamadı",
        "Serviço não encontrado",
        "Услуга не найдена",
        "Dịch vụ không tồn tại",
    ],
    InvalidOrderError: [
        "Bad link",
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
    ],
    NotSupportedError: [
        "Refill is disabled for this service",
        "Cancel is not available",
        "This order cannot be canceled",
        "Order can't be cancelled",
        "You are not eligible to cancel this order.",
        "Dịch vụ này không hỗ trợ hủy đơn",
        "Ordering is disabled",
    ],
}


@pytest.mark.parametrize(("class_", "text"), [(class_, text) for class_, texts in WORDS.items() for text in texts])
def test_a_panels_words_mean_a_class(class_: type[PanelError], text: str) -> None:
    """In English, as PerfectPanel's keys, in Turkish, Portuguese, Russian and Vietnamese."""
    assert ErrorPhrases().classify_message(text) is class_


@pytest.mark.parametrize("class_", list(WORDS))
def test_case_and_punctuation_do_not_matter(class_: type[PanelError]) -> None:
    """Panels copy each other's sentences, each a little differently."""
    for text in WORDS[class_]:
        assert ErrorPhrases().classify_message(f"  ¡{text.upper()}!! ") is class_


@pytest.mark.parametrize("text", ["", "Something else", "Completed", "Your keyboard", "Limited edition"])
def test_words_nobody_knows_mean_no_class(text: str) -> None:
    """Only whole words count."""
    assert ErrorPhrases().classify_message(text) is None


def test_a_users_own_words_come_first() -> None:
    """They may also overrule a built-in one."""
    words = ErrorPhrases({"Bakiye YOK": InsufficientFundsError, "order id": PanelError})
    assert words.classify_message("Hata: bakiye yok!") is InsufficientFundsError
    assert words.classify_message("Incorrect order ID") is PanelError


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
    assert ErrorPhrases().classify(texts, codes, status) == verdict
