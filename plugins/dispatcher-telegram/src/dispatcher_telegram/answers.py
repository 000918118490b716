"""What an answer of the Bot API means. Sources: "Making requests", "ResponseParameters"."""

from __future__ import annotations

from dispatcher import AccountRefused, DeliveryError, OutcomeUnknown
from dispatcher.http.responses import BY_STATUS, HINTS, Classification, ErrorMap, Response

ACCEPTED_ID = ("result", "message_id")


class BotApiErrors(ErrorMap):
    """`error_code` repeats the status, so the status decides, but for what only words tell."""

    def outcome(self, response: Response) -> type[DeliveryError]:
        """Return what became of the message."""
        if response.status == 400 and response.at(("ok",)) is not False:
            return OutcomeUnknown  # it is not the Bot API's own: something in between answered
        if response.at(("description",)) == "Logged out":  # the bot moved to another server
            return AccountRefused
        return super().outcome(response)

    def classify(
        self, response: Response, setting: str, token: str = "the token"
    ) -> Classification:
        """Return it, with the new id of a group that has become a supergroup."""
        found = super().classify(response, setting, token)
        moved_to = response.at(("parameters", "migrate_to_chat_id"))
        if isinstance(moved_to, int):
            found = found._replace(text=f"{found.text}; its id is {moved_to} now")
        return found


ERROR_MAP = BotApiErrors(
    code=("error_code",),
    words=(("description",),),
    retry_after=("parameters", "retry_after"),
    # What should be a token, and has not the form of one, is a path that does not exist.
    by_status={**BY_STATUS, 404: AccountRefused},
    hints={**HINTS, 404: "check {token} and {setting}"},
)
