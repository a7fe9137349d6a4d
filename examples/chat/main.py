import sys

sys.path.append("/opt/examples/clients")
from broker import ask, chat  # noqa: E402

ROLES = {"MESSAGE_ROLE_USER": "user", "MESSAGE_ROLE_ASSISTANT": "assistant"}
text = sys.stdin.read().strip()

# The conversation that was the last, if it takes messages still.
still = {"states": ["SESSION_STATE_ACTIVE", "SESSION_STATE_IDLE"], "limit": 1}
sessions = ask("Sessions", "ListSessions", still).get("sessions")
session = sessions[0] if sessions else ask("Sessions", "CreateSession", {"title": text[:60]})["session"]


def add(role, content):
    ask("Sessions", "AppendMessages", {"sessionId": session["id"], "messages": [{"role": role, "content": content}]})


add("MESSAGE_ROLE_USER", text)
said = ask("Sessions", "GetSession", {"id": session["id"], "newest": True})["messages"]
answer = chat("small", [{"role": ROLES[one["role"]], "content": one["content"]} for one in said])
add("MESSAGE_ROLE_ASSISTANT", answer)
print(answer)
