"""The names of the built-in commands, which no plugin's may have; each with its help."""

COMMANDS = {
    "init": "Write a repository of messages that works as it stands.",
    "validate": "Check manifests; offline.",
    "plan": "Show what send would do, and why; offline.",
    "diff": "Show what a change changes for recipients; offline.",
    "send": "Send what was not sent yet.",
    "report": "Show what became of a run, message by message.",
    "history": "Show what the journal knows.",
    "statuses": "Note what the gateway says of messages later: delivered, read.",
    "settle": "Decide whether an unknown message was sent.",
    "journal": "Copy the journal, and see whether a copy is whole.",
    "sandbox": "Run a local gateway to try things on.",
    "preview": "Show the plan as chat bubbles in the browser.",
    "schema": "Print the JSON Schema of manifests, for editors.",
    "doctor": "Examine configuration, plugins, credentials and journal.",
    "plugins": "List plugins, their distributions and hooks.",
}
