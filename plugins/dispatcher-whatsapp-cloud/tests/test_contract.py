"""What holds for every transport holds for this one, through each kind of service."""

from __future__ import annotations

from typing import ClassVar

from dispatcher.testing import Reply, TransportContract
from dispatcher_whatsapp_cloud import WhatsAppCloud


def _error(status: int, code: int) -> Reply:
    return Reply(status, {"error": {"code": code, "message": f"(#{code}) said"}})


def _on_premises(status: int, code: int) -> Reply:
    return Reply(status, {"errors": [{"code": code, "title": "said", "details": "more"}]})


STATUSES = [
    {"id": "wamid.1", "status": "delivered", "timestamp": "1790000000"},
    {
        "id": "wamid.2",
        "status": "failed",
        "timestamp": "1790000000",
        "errors": [{"code": 131026, "title": "said", "error_data": {"details": "more"}}],
    },
]


class Contract(TransportContract):
    token = "marker-token-EAAG81c6"
    accepted_id = "wamid.1"
    service: ClassVar[str]

    def make(self, url: str) -> WhatsAppCloud:
        return WhatsAppCloud(
            WhatsAppCloud.Settings(
                service=self.service,
                token=self.token,
                phone_number_id="106540352242922",
                version="v24.0",
                base_url=url,
                read_timeout=0.3,
            )
        )


class TestMeta(Contract):
    service = "meta"
    webhooks: ClassVar = (
        {
            "object": "whatsapp_business_account",
            "entry": [
                {
                    "id": "1",
                    "changes": [
                        {
                            "field": "messages",
                            "value": {
                                "metadata": {"phone_number_id": "106540352242922"},
                                "statuses": STATUSES,
                            },
                        }
                    ],
                }
            ],
        },
    )
    accepted = Reply(200, {"messaging_product": "whatsapp", "messages": [{"id": "wamid.1"}]})
    uploaded = Reply(200, {"id": "1037543291543636"})
    uploaded_id = "1037543291543636"
    refused = (_error(400, 131026), _error(400, 100), _error(500, 131047), Reply(404))
    account_refused = (_error(401, 190), _error(400, 0), _error(403, 131031), Reply(401))
    not_sent = (_error(429, 131056), _error(400, 131049))
    throttled = (
        _error(400, 4),
        _error(429, 130429),
        _error(400, 80007),
        Reply(429, {}, {"Retry-After": "60"}),
    )
    unknown = (_error(500, 131000), _error(400, 2), _error(400, 999_999), _error(503, 131016))


class TestOnPremises(Contract):
    service = "on-premises"
    webhooks: ClassVar = ({"statuses": STATUSES},)
    accepted = Reply(201, {"messages": [{"id": "wamid.1"}]})
    uploaded = Reply(201, {"media": [{"id": "f1"}]})
    uploaded_id = "f1"
    refused = (_on_premises(400, 1001), _on_premises(400, 470), Reply(404))
    account_refused = (_on_premises(401, 1005), _on_premises(400, 471))
    not_sent = ()
    throttled = (_on_premises(400, 1015), Reply(429, {}, {"Retry-After": "7"}))
    unknown = (_on_premises(500, 1014), _on_premises(400, 1000))
