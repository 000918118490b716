"""The contract of transports, as tests: `class TestContract(TransportContract)`.

`situation`    what an author says, and what all the tests begin with
`interface`    name, settings, `build` and `check`
`answers`      what each answer means
`connections`  broken connections, redirects, several threads; nothing is retried
`secrecy`      the token shows nowhere
`uploads`      files on their way
"""

from dispatcher.testing.transports.answers import Answers
from dispatcher.testing.transports.connections import Connections
from dispatcher.testing.transports.interface import Interface
from dispatcher.testing.transports.secrecy import Secrecy
from dispatcher.testing.transports.uploads import Uploads

__all__ = ["TransportContract"]


class TransportContract(Interface, Answers, Connections, Secrecy, Uploads):
    """Derive a test class from it, and say how to make each situation: see `Situation`.

    class TestContract(TransportContract):
        token = "secret-token-1234"
        accepted = Reply(200, {"messages": [{"id": "m1"}]})
        accepted_id = "m1"
        uploaded = None  # it takes no files
        refused = (Reply(400, {"error": {"code": 100, "message": "no such number"}}),)
        account_refused = (Reply(401),)
        not_sent = ()
        throttled = (Reply(429, {}, {"Retry-After": "7"}),)
        unknown = (Reply(500),)

        def make(self, url):
            return Pigeon(PigeonSettings(base_url=url, token=self.token, read_timeout=0.5))
    """
