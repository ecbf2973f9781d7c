"""python3 watch.py http://localhost:8001 status: print what a service says, also after it restarts.

Lines on standard input are sent: JSON as JSON, other text as text, `bytes 00ff` as bytes.
`call NAME JSON` calls, `leave` ends.
"""

import json
import sys
import threading

from windsock import Client, WindsockError


def value(text):
    if text.startswith("bytes "):
        return bytes.fromhex(text[6:])
    try:
        return json.loads(text)
    except ValueError:
        return text


def show(*words):
    sys.stdout.write(" ".join(str(word) for word in words).strip() + "\n")  # whole: two threads print
    sys.stdout.flush()


def talk(client, channel):
    for line in sys.stdin:
        words = line.rstrip("\n")
        try:
            if words == "leave":
                channel.leave()
            elif words.startswith("call "):
                name, _, request = words[5:].partition(" ")
                show("reply", shown(channel.call(name, value(request) if request else None)))
            elif words:
                channel.send(value(words)).add_done_callback(lambda sent, text=words: settled(text, sent))
        except WindsockError as error:
            show("failed", words, error)


def settled(text, sent):
    show("failed" if sent.exception() else "done", text, sent.exception() or "")


def shown(payload):
    if isinstance(payload, bytes):
        return "hex " + payload.hex()
    return json.dumps(payload, ensure_ascii=False)


def main(base, path, auth=None):
    client = Client(base)
    channel = client.join(path, auth)
    threading.Thread(target=talk, args=(client, channel), daemon=True).start()
    for event in channel:
        if event.kind == "open":
            show("open", event.payload["answer"])
        elif event.kind in ("lost", "refused", "closed"):
            show(event.kind, event.payload)
        elif event.kind in ("pub", "tail", "restarted", "snapshot"):
            show(event.kind, event.seq, *([event.topic] if event.topic else []), shown(event.payload))
        else:
            show(event.kind, shown(event.payload))
    client.close()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
