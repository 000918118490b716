"""What holds for every transport holds for this one."""

from __future__ import annotations

from typing import ClassVar

from dispatcher.testing import Reply, TransportContract
from dispatcher_greenapi_instance import GreenApiInstance


def _error(status: int, message: str) -> Reply:
    return Reply(status, {"statusCode": status, "message": message})


_QUOTA = {"invokeStatus": {"status": "QUOTE_EXCEEDED", "description": "Monthly quota"}}


class TestContract(TransportContract):
    token = "marker-token-d75b3374288810784"
    accepted = Reply(200, {"idMessage": "3EB0"})
    accepted_id = "3EB0"
    uploaded = Reply(200, {"urlFile": "https://files.example.com/1.bin"})
    uploaded_id = "https://files.example.com/1.bin"
    refused = (_error(400, "Validation failed"), Reply(413))
    account_refused = (Reply(401), Reply(403), _error(400, "instance account not authorized"))
    not_sent = (_error(400, "instance in starting process try later"),)
    throttled = (Reply(429, {}, {"Retry-After": "7"}), Reply(466, _QUOTA))
    examples: ClassVar = {"contact": {"phoneContact": 79001234568, "firstName": "Anna"}}
    webhooks: ClassVar = (
        {
            "typeWebhook": "outgoingMessageStatus",
            "chatId": "79001234568@c.us",
            "instanceData": {"idInstance": 1101000001},
            "timestamp": 1_790_000_000,
            "idMessage": "3EB0",
            "status": "failed",
            "description": "said",
        },
    )
    unknown = (Reply(499), Reply(500), Reply(502), Reply(418, "tea"))

    def make(self, url: str) -> GreenApiInstance:
        return GreenApiInstance(
            GreenApiInstance.Settings(
                token=self.token,
                id_instance="1101000001",
                base_url=url,
                media_url=url,
                read_timeout=0.3,
            )
        )
