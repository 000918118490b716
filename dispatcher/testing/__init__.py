"""The testing kit for projects and plugins; it needs pytest.

`sandbox`, `scripted_gateway`, `run`                  fixtures: import them in a conftest.py
`message`, `upload`, `manifest`, `plan`, `registry`   what a test begins with
`Recording`                                           a plugin: its transport records everything
`ScriptedGateway`, `Reply`, `Fault`, `Raw`            an HTTP server that follows a script
`TransportContract`, `SourceContract`, `TransformerContract`, `ValidatorContract`, `EngineContract`
                                                      test classes to derive from

    def test_welcome(sandbox):
        subprocess.run(["dispatcher", "send", "manifests/welcome.toml"], check=True)
        [message] = sandbox.wait(1)
        assert message["payload"]["text"]["body"] == "Hello!"
"""

import dispatcher.testing.assertion_rewriting  # noqa: F401 - before what it is for
from dispatcher.sandbox.process import SandboxProcess
from dispatcher.testing.engine_contract import EngineContract
from dispatcher.testing.factories import Plan, manifest, message, plan, registry, upload
from dispatcher.testing.fixtures import Run, run, sandbox, scripted_gateway
from dispatcher.testing.gateway import Fault, Raw, Reply, Request, ScriptedGateway
from dispatcher.testing.hook_contracts import SourceContract, TransformerContract, ValidatorContract
from dispatcher.testing.recording import Recording, RecordingTransport
from dispatcher.testing.transport_contract import TransportContract

__all__ = [
    "EngineContract",
    "Fault",
    "Plan",
    "Raw",
    "Recording",
    "RecordingTransport",
    "Reply",
    "Request",
    "Run",
    "SandboxProcess",
    "ScriptedGateway",
    "SourceContract",
    "TransformerContract",
    "TransportContract",
    "ValidatorContract",
    "manifest",
    "message",
    "plan",
    "registry",
    "run",
    "sandbox",
    "scripted_gateway",
    "upload",
]
