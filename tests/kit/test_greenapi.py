"""The built-in transport keeps the contract that is asked of every plugin's."""

from dispatcher.builtin.greenapi.transport import GreenApi
from dispatcher.testing import Reply, TransportContract


def _error(status: int, code: int) -> Reply:
    error = {"code": code, "title": "сказано", "details": "said"}
    return Reply(status, {"errors": [error]})


class TestGreenApi(TransportContract):
    token = "marker-token-93c1"
    accepted = Reply(201, {"messages": [{"id": "m1"}]})
    accepted_id = "m1"
    uploaded = Reply(201, {"media": [{"id": "f1"}]})
    uploaded_id = "f1"
    refused = (_error(400, 1031), _error(404, 7200), Reply(413), Reply(404, "no such page"))
    account_refused = (_error(401, 0), Reply(403), _error(400, 1040))
    not_sent = (_error(400, 1060),)
    throttled = (Reply(429, {}, {"Retry-After": "7"}), _error(400, 82))
    unknown = (_error(500, 1010), Reply(400), Reply(418, "tea"))

    def make(self, url: str) -> GreenApi:
        settings = {"token": self.token, "read_timeout": 0.3}
        return GreenApi(GreenApi.Settings(base_url=url, media_url=url, **settings))
