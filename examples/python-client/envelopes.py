"""The envelopes of `windsock.v1` (sections 1 to 3): text and bytes to dicts, and back."""

import json
import struct

NUMBER_END = 2**53

# The elements of each kind, behind its name.
FROM_CLIENT = {
    "join": "channel path options", "send": "channel n payload",
    "call": "channel n name timeoutMs payload", "cancel": "channel n", "ack": "channel count",
    "auth": "channel payload", "leave": "channel", "ping": "payload",
}
FROM_SERVER = {
    "joined": "channel info", "log": "channel log topic seq", "unlog": "channel log",
    "pub": "log seq payload", "msg": "channel payload", "reply": "channel n payload",
    "error": "channel n code message detail", "done": "channel n", "credit": "channel bytes",
    "snapshot": "channel seq payload", "at": "channel seq count", "restarted": "log seq",
    "tail": "channel topic offset payload", "presence": "channel seq changes",
    "closed": "channel closeCode reason how", "draining": "windowMs", "authed": "channel",
    "pong": "payload",
}
STRINGS = {"path", "name", "topic", "code", "message", "reason", "how"}
OBJECTS = {"options", "info", "detail", "changes"}
INFO_STRINGS = ("answer", "id", "token", "epoch", "version")
INFO_NUMBERS = ("log", "seq", "count", "done", "credit", "maxBytes", "graceMs")


def is_number(value):
    return type(value) is int and 0 <= value < NUMBER_END  # `type`: True is an int too


def to_json(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Fault(Exception):
    """The other side sent what the protocol does not allow."""


def encode(envelope):
    """A str for a text message, bytes for a binary one: that of a payload of bytes."""
    if isinstance(envelope[-1], (bytes, bytearray)):
        header = to_json(envelope[:-1]).encode()
        return struct.pack(">H", len(header)) + header + envelope[-1]
    return to_json(envelope)


def decode(message, kinds=FROM_SERVER):
    """The envelope as a dict with `type`. None for a kind that is not known. Raises Fault."""
    is_binary = not isinstance(message, str)
    text, payload = message, b""
    if is_binary:
        end = 2 + int.from_bytes(message[:2], "big")
        if len(message) < 2 or len(message) < end:
            raise Fault("a binary message that ends in its header")
        text, payload = message[2:end], bytes(message[end:])
    try:
        items = json.loads(text if isinstance(text, str) else text.decode(), parse_constant=fail)
    except (ValueError, RecursionError) as error:
        raise Fault(f"not JSON: {error}") from error
    if not isinstance(items, list) or not items or not isinstance(items[0], str):
        raise Fault("not an array that begins with a kind")
    if items[0] not in kinds:
        return None
    names = kinds[items[0]].split()
    if is_binary and names.pop() != "payload":
        raise Fault(f"a binary {items[0]}")
    if len(items) <= len(names):
        raise Fault(f"{items[0]}: expected {names}")
    envelope = {"type": items[0], **dict(zip(names, items[1:]))}
    for name, value in envelope.items():
        check(name, value)
    if is_binary:
        envelope["payload"] = payload
    return envelope


def fail(constant):
    raise ValueError(constant)


def check(name, value):
    if name in ("type", "payload"):
        return
    if name in STRINGS:
        good = isinstance(value, str) and (name != "how" or value in ("rejoin", "retry", "end"))
    elif name in OBJECTS:
        good = isinstance(value, dict) and (
            name in ("detail", "options") and is_resume(value.get("resume"))
            or name == "info" and is_info(value)
            or name == "changes" and is_changes(value)
        )
    else:
        good = is_number(value) and (name != "channel" or value > 0)
    if not good:
        raise Fault(f"{name}: {str(value)[:80]}")


def is_resume(resume):
    return resume is None or (
        isinstance(resume, dict)
        and all(isinstance(resume.get(name), str) for name in ("token", "epoch"))
        and all(is_number(resume.get(name)) for name in ("seq", "count"))
        and all(is_number(offset) for offset in resume.get("tails", {}).values())
    )


def is_info(info):
    return (
        all(isinstance(info.get(name), str) for name in INFO_STRINGS)
        and all(is_number(info.get(name)) for name in INFO_NUMBERS)
        and isinstance(info.get("params"), dict)
        and info["answer"] in ("new", "resumed", "snapshot", "rejoin")
    )


def is_changes(changes):
    join, leave = changes.get("join"), changes.get("leave")
    entries = isinstance(join, list) and all(isinstance(e, dict) and "id" in e for e in join)
    return entries and isinstance(leave, list)
