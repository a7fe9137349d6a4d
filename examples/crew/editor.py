import sys

sys.path.append("/opt/examples/clients")
from broker import ask, from_bytes, to_bytes  # noqa: E402

themes = [line.strip() for line in sys.stdin if line.strip()]
for place, theme in enumerate(themes):
    # With the same key, an editor that is tried again gets the poets that it has already.
    ask("Broker", "SpawnTask", {"agent": "poet", "input": to_bytes(theme), "key": f"verse-{place}"})
for child in ask("Broker", "WaitTasks").get("tasks", []):
    print(from_bytes(child.get("output", "")))
