"""What is answered: JSON, and the gateway's error codes (docs/greenapi-v1.md, "Errors")."""

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

LONGEST_DETAILS: Final = 500  # what a client wrote into a name or an id is told back to it

META: Final[Mapping[str, str]] = {"api_status": "stable", "version": "2.0.1"}

TEXTS: Final[Mapping[int, tuple[str, str]]] = {
    1: ("File link is unavailable", "Ссылка на файл недоступна"),
    81: ("Broadcast was not created", "Рассылка не создана"),
    82: ("Outgoing messages limit exceeded", "Превышено количество исходящих сообщений"),
    1010: ("Error", "Ошибка"),
    1011: ("Invalid parameter", "Недопустимый параметр"),
    1020: ("Parameter to is missing", "Отсутствует получатель"),
    1021: ("Parameter to is invalid", "Получатель указан неверно"),
    1022: ("Subscriber was not found", "Подписчик не найден"),
    1023: ("Subscriber is unsubscribed or not processed", "Подписчик отписан или не обработан"),
    1024: ("Subscriber update failed", "Ошибка обновления подписчика"),
    1030: ("Text is missing", "Отсутствует текст сообщения"),
    1031: ("Text has invalid characters", "Текст содержит недопустимые символы"),
    1032: ("Message is too long", "Сообщение слишком длинное"),
    1040: ("Authorization key is missing", "Отсутствует ключ авторизации"),
    1041: ("Authorization key is not allowed", "Ключ авторизации недействителен"),
    1042: ("System error", "Системная ошибка"),
    1050: ("messageId is missing", "Отсутствует messageId"),
    1051: ("messageId is invalid", "Неверный messageId"),
    1052: ("Message array failed", "Ошибка в массиве сообщений"),
    1060: ("Task to send the message was not created", "Задача на отправку не создана"),
    1061: ("Data was not found", "Данные не найдены"),
    1062: ("Subscription must be bought", "Необходимо оплатить подписку"),
    1071: ("Senders were not found", "Отправители не найдены"),
    7200: ("X-Gr-File-Extension is missing", "Отсутствует заголовок X-Gr-File-Extension"),
}


class Refusal(Exception):
    """The gateway says no: a code of its table, and English details unless the code says all."""

    def __init__(self, code: int, details: str | None = None) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details and details[:LONGEST_DETAILS]

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer; the title is Russian, as the gateway's is."""
        details, title = TEXTS.get(self.code, TEXTS[1010])
        error = {"code": self.code, "details": self.details or details, "title": title}
        return {"errors": [error], "meta": dict(META)}


# Made once: `json.dumps` with arguments makes one each time.
ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Json(Response):
    """A value as JSON: readable, and escaped only where it cannot be UTF-8 (lone surrogates)."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return ENCODER.encode(content).encode(errors="backslashreplace")
