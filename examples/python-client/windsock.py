"""A client of the wire protocol `windsock.v1`, written from docs/reference/protocol.md alone.

    client = Client("http://localhost:8001")
    status = client.join("status")
    status.send({"rebuild": "main"}).result(5)      # done: the service has handled it, once
    status.call("rebuild", {"branch": "main"})      # its answer
    for event in status:                            # until the channel has ended for good
        print(event.kind, event.payload)

One thread owns the socket and every timer. What the application calls takes the lock, changes
state and wakes that thread. Python's standard library only.
"""

import collections
import queue
import random
import select
import socket
import threading
import time
from concurrent.futures import Future, TimeoutError as FutureTimeout

from envelopes import NUMBER_END, Fault, decode, encode
from websocket import BINARY, TEXT, Lost, WebSocket

UNREAD_LIMIT = 1000  # a channel's events that the application has not taken: then the socket is not read
ACK_BYTES, ACK_COUNT, ACK_SECONDS = 16 * 1024, 100, 0.5
PING_SECONDS, PONG_SECONDS = 35, 10
FINAL_CODES = {1002, 1003, 1007, 1008, 1009, 1010}

Event = collections.namedtuple("Event", "kind payload topic seq", defaults=(None, None, None))


class WindsockError(Exception):
    def __init__(self, code, message="", detail=None):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.detail = code, message, detail or {}


def back_off(attempt):
    return random.random() * min(30, 0.5 * 2 ** min(attempt, 10))


class Message:
    """A `send`, or a `call`, which has a name and a deadline."""

    def __init__(self, payload, name=None, deadline=0):
        self.payload, self.name, self.deadline, self.future = payload, name, deadline, Future()

    def encode(self, channel, n):
        if self.name is None:
            return encode(["send", channel, n, self.payload])
        left = max(0, round((self.deadline - time.monotonic()) * 1000))
        return encode(["call", channel, n, self.name, left, self.payload])

    def settle(self, value=None, error=None):
        if not self.future.done():
            self.future.set_exception(error) if error else self.future.set_result(value)


class Channel:
    """One service. Iterate over it for its events; `open`'s payload is the `info` of `joined`."""

    def __init__(self, client, path, auth):
        self.client, self.path, self.auth = client, path, auth
        self.events = queue.Queue()
        self.number = None  # on this socket; None: not asked for yet
        self.is_joined, self.is_ended = False, False
        self.retry_at, self.attempt = 0, 0
        self.waiting = collections.deque()  # never sent, without a number
        self.auths = collections.deque()  # futures of `auth`, in order
        self.forget()

    # What the application calls.

    def send(self, payload):
        """A Future: done when the service has handled it. WindsockError `unknown` after a rejoin."""
        return self.put(Message(payload)).future

    def call(self, name, payload=None, timeout=5.0):
        message = self.put(Message(payload, name, time.monotonic() + timeout))
        try:
            return message.future.result(timeout)
        except FutureTimeout:
            self.client.do(lambda: self.give_up(message))
            raise WindsockError("timeout", f"no answer to {name} within {timeout} s") from None

    def reauthorize(self, token):
        future = Future()
        self.client.do(lambda: self.start_auth(token, future))
        return future

    def leave(self):
        self.client.do(lambda: self.end("left", leave=True))

    def __iter__(self):
        while True:
            event = self.events.get()
            if self.events.qsize() == UNREAD_LIMIT - 1:
                self.client.wake()
            yield event
            if event.kind == "closed":
                return

    # What the client's thread calls, with the lock.

    def forget(self):
        """No membership: the next join is a new one, its numbers begin at 1."""
        self.token, self.epoch, self.seq, self.count = None, None, 0, 0
        self.tails, self.begun, self.logs = {}, {}, {}
        self.sent, self.last = {}, 0  # `sent`: by number, what no `done` has settled
        self.resend = collections.deque()
        self.credit, self.used, self.max_bytes = 0, 0, NUMBER_END
        self.acked, self.unacked_bytes, self.ack_at = 0, 0, None

    def put(self, message):
        encode(["send", 1, 1, message.payload])  # what JSON cannot hold fails here, at the caller

        def add():
            if self.is_ended:
                raise WindsockError("closed", f"{self.path} has ended")
            self.waiting.append(message)
            self.pump()

        self.client.do(add)
        return message

    def give_up(self, message):
        if message in self.waiting:
            self.waiting.remove(message)
        elif self.is_joined:
            for n, other in self.sent.items():
                if other is message:
                    self.write(["cancel", self.number, n])

    def start_auth(self, token, future):
        self.auth = token
        self.auths.append(future)
        if self.is_joined:
            self.write(["auth", self.number, token])

    def write(self, envelope):
        self.client.write(encode(envelope))

    def join(self, number):
        options = {}
        if self.token is not None:
            resume = {"token": self.token, "epoch": self.epoch, "seq": self.seq, "count": self.count}
            if tails := {**self.tails, **self.begun}:
                resume["tails"] = tails
            options["resume"] = resume
        if self.auth is not None:
            options["auth"] = self.auth
        self.number, self.is_joined, self.logs = number, False, {}
        self.write(["join", number, self.path, options])

    def cut(self):
        self.number, self.is_joined, self.logs, self.ack_at = None, False, {}, None
        self.resend.clear()

    def on_joined(self, info, **_):
        if info["answer"] in ("new", "rejoin"):
            self.lose_sent()
            self.forget()
        self.token, self.epoch = info["token"], info["epoch"]
        if info["answer"] != "snapshot":  # a cut before the snapshot must not skip it
            self.seq = info["seq"]
        self.count = self.acked = info["count"]
        self.logs = {info["log"]: ["", info["seq"]]}
        self.credit, self.used, self.max_bytes = info["credit"], 0, info["maxBytes"]
        self.resend = collections.deque(n for n in self.sent if n > info["done"])
        self.is_joined, self.joined_at = True, time.monotonic()
        while self.auths:
            self.auths.popleft().set_result(None)  # the join had the new token
        self.emit("open", info)
        self.pump()

    def lose_sent(self):
        for message in self.sent.values():
            message.settle(error=WindsockError("unknown", "sent, and the membership is gone"))
        self.sent.clear()

    def pump(self):
        """Send what the credit allows: first what is sent again, then what waits."""
        while self.is_joined and (self.resend or self.waiting):
            n = self.resend[0] if self.resend else self.last + 1
            message = self.sent[n] if self.resend else self.waiting[0]
            data = message.encode(self.number, n)
            size = len(data.encode() if isinstance(data, str) else data)
            if not self.resend and size > self.max_bytes:
                self.waiting.popleft()
                message.settle(error=WindsockError("too_big", f"{size} bytes of {self.max_bytes}"))
                continue
            if self.used + size > self.credit:
                return
            if self.resend:
                self.resend.popleft()
            else:
                self.last = n
                self.sent[n] = self.waiting.popleft()
            self.used += size
            self.client.write(data)

    def emit(self, kind, payload=None, topic=None, seq=None):
        self.events.put(Event(kind, payload, topic, seq))

    def take(self, log, seq):
        """Whether an entry is new to this channel; then the position is behind it."""
        topic, had = self.logs[log]
        if seq <= had:
            return False
        self.logs[log][1] = seq
        if seq <= self.seq and topic in self.begun:
            self.begun[topic] = seq
        self.reach(seq)
        return True

    def reach(self, seq):
        if seq > self.seq:  # a backlog is whole before anything newer
            self.seq = seq
            self.begun = dict.fromkeys(self.begun, seq)

    def on_log(self, log, topic, seq, **_):
        self.logs[log] = [topic, seq]
        self.begun[topic] = seq

    def on_unlog(self, log, **_):
        topic, _had = self.logs.pop(log, ("", 0))
        self.begun.pop(topic, None)

    def on_pub(self, log, seq, payload):
        topic = self.logs[log][0]
        if self.take(log, seq):
            self.emit("pub", payload, topic, seq)

    def on_restarted(self, log, seq):
        if self.take(log, seq):
            self.emit("restarted", seq=seq)

    def on_msg(self, payload, **_):
        self.emit("msg", payload)

    def on_reply(self, n, payload, **_):
        if n in self.sent:
            self.sent[n].settle(payload)

    def on_error(self, n, code, message, detail, **_):
        error = WindsockError(code, message, detail)
        if n > 0:
            if n in self.sent:
                self.sent[n].settle(error=error)
        elif self.is_joined:
            if self.auths:
                self.auths.popleft().set_exception(error)
        elif "retryAfterMs" in detail:
            self.cut()
            self.emit("refused", error)
            self.retry(detail["retryAfterMs"] / 1000)
        else:
            self.end(error)

    def calm(self):
        """A channel that lasted is no longer in trouble."""
        if self.is_joined and time.monotonic() - self.joined_at >= 10:
            self.attempt = 0

    def retry(self, least=0.0):
        self.retry_at = time.monotonic() + least + back_off(self.attempt)
        self.attempt += 1

    def on_done(self, n, **_):
        for number in [number for number in self.sent if number <= n]:
            self.sent.pop(number).settle()

    def on_credit(self, bytes, **_):
        self.credit = max(self.credit, bytes)
        self.pump()

    def on_snapshot(self, seq, payload, **_):
        for entry in self.logs.values():
            entry[1] = max(entry[1], seq)
        self.seq = max(self.seq, seq)
        self.begun = dict.fromkeys(self.begun, self.seq)
        self.emit("snapshot", payload, seq=seq)

    def on_at(self, seq, count, **_):
        if count != self.count:
            raise Fault(f"the server counts {count} private messages, {self.count} came")
        self.reach(seq)

    def on_tail(self, topic, offset, payload, **_):
        self.tails[topic] = offset
        self.emit("tail", payload, topic, offset)

    def on_presence(self, seq, changes, **_):
        self.emit("presence", changes, seq=seq)

    def on_authed(self, **_):
        if self.auths:
            self.auths.popleft().set_result(None)

    def on_closed(self, closeCode, reason, how, **_):
        self.calm()
        self.cut()
        if how == "end":
            self.end(WindsockError("closed", f"{closeCode} {reason}".strip()))
            return
        self.emit("lost", f"{closeCode} {reason}".strip())
        self.lose_sent()
        self.forget()  # the membership has ended too
        if how == "rejoin" and self.attempt == 0:
            self.attempt, self.retry_at = 1, 0
        else:
            self.retry()

    def count_private(self, size):
        self.count += 1
        self.unacked_bytes += size
        if self.ack_at is None:
            self.ack_at = time.monotonic() + ACK_SECONDS
        if self.unacked_bytes >= ACK_BYTES or self.count - self.acked >= ACK_COUNT:
            self.ack()

    def ack(self):
        self.acked, self.unacked_bytes, self.ack_at = self.count, 0, None
        self.write(["ack", self.number, self.count])

    def end(self, why, leave=False):
        if self.is_ended:
            return
        if leave and self.number is not None:
            self.write(["leave", self.number])
        self.is_ended = True
        self.cut()
        self.lose_sent()
        error = why if isinstance(why, WindsockError) else WindsockError("closed", str(why))
        for message in self.waiting:
            message.settle(error=error)
        for future in self.auths:
            future.set_exception(error)
        self.waiting.clear()
        self.auths.clear()
        self.client.channels.remove(self)
        self.emit("closed", error)


class Client:
    def __init__(self, base, headers=None):
        self.base, self.headers, self.session = base, headers or {}, ""
        self.channels, self.socket = [], None
        self.is_closed, self.has_connected = False, False
        self.lock = threading.RLock()
        self.awake, self.waker = socket.socketpair()
        for end in (self.awake, self.waker):
            end.setblocking(False)
        self.thread = threading.Thread(target=self.run, name="windsock", daemon=True)
        self.thread.start()

    def join(self, path, auth=None):
        channel = Channel(self, path, auth)
        self.do(lambda: self.channels.append(channel))
        return channel

    def close(self):
        """Leave every channel and end the socket."""

        def leave():
            for channel in list(self.channels):
                channel.end("left", leave=True)
            self.is_closed = True

        self.do(leave)
        self.thread.join()

    def do(self, change):
        with self.lock:
            change()
        self.wake()

    def wake(self):
        try:
            self.waker.send(b"x")
        except BlockingIOError:
            pass  # it will wake anyway

    def write(self, data):
        if self.socket is not None:
            is_text = isinstance(data, str)
            self.socket.write(TEXT if is_text else BINARY, data.encode() if is_text else data)

    def run(self):
        attempt = 0
        while not self.is_closed:
            if not self.channels:
                self.sleep(None)
                continue
            code, began = 1006, None
            try:
                fresh = self.connect()
                began = time.monotonic()
                self.serve(fresh)
                code = 1000
            except Fault as fault:
                code = self.lose(4002, str(fault))
            except Lost as lost:
                code = self.lose(lost.code, str(lost))
            except OSError as error:
                code = self.lose(1006, str(error))
            if code in FINAL_CODES:
                with self.lock:
                    for channel in list(self.channels):
                        channel.end(WindsockError("closed", f"the server closed with {code}"))
            elif not self.is_closed:
                attempt = 0 if began and time.monotonic() - began >= 10 else attempt + 1
                if code in (1012, 1013):
                    attempt = max(attempt, 3)
                self.pause(back_off(attempt))

    def connect(self):
        cookies = [cookie for cookie in (self.headers.get("Cookie"), self.session) if cookie]
        headers = {**self.headers, "Cookie": "; ".join(cookies)} if cookies else self.headers
        fresh = WebSocket(self.base, headers)
        self.session = fresh.cookie or self.session
        return fresh

    def lose(self, code, reason):
        with self.lock:
            is_news = self.socket is not None or not self.has_connected
            if self.socket is not None:
                self.socket.close(4002 if code == 4002 else 1000)
                self.socket = None
            if is_news:
                for channel in self.channels:
                    channel.cut()
                    channel.emit("lost", reason)
        return code

    def pause(self, seconds):
        end = time.monotonic() + seconds
        while not self.is_closed and (left := end - time.monotonic()) > 0:
            self.sleep(left)

    def sleep(self, seconds, read=(), write=()):
        ready, _, _ = select.select([self.awake, *read], write, [], seconds)
        try:
            while self.awake in ready and self.awake.recv(4096):
                pass
        except BlockingIOError:
            pass

    def serve(self, fresh):
        """Work on one socket until it is lost; on another one after `draining`."""
        self.begin(fresh)
        while True:
            with self.lock:
                now = time.monotonic()
                timers = [timer for timer in self.timers(now) if timer is not None]
                self.socket.flush()
                if self.is_closed:
                    self.socket.close()
                    self.socket = None
                    return
                is_full = any(c.events.qsize() >= UNREAD_LIMIT for c in self.channels)
                read = [] if is_full else [self.socket.socket]
                write = [self.socket.socket] if self.socket.output else []
            self.sleep(max(0, min(timers) - time.monotonic()) if timers else None, read, write)
            if is_full:
                continue
            for message in self.socket.read():
                with self.lock:
                    self.ping_at, self.drop_at = time.monotonic() + PING_SECONDS, None
                    if message is not None:
                        self.receive(message)

    def begin(self, fresh):
        with self.lock:
            self.socket, self.next_number, self.has_connected = fresh, 1, True
            self.ping_at, self.drop_at, self.move_at = time.monotonic() + PING_SECONDS, None, None
            for channel in self.channels:
                channel.cut()
        for message in fresh.messages():  # what came with the handshake's answer
            self.receive(message)

    def timers(self, now):
        """Do what is due. Yields when to look again."""
        for channel in self.channels:
            if channel.number is None and now >= channel.retry_at:
                channel.join(self.next_number)
                self.next_number += 1
            elif channel.number is None:
                yield channel.retry_at
            if channel.ack_at is not None and now >= channel.ack_at:
                channel.ack()
            yield channel.ack_at
        if self.drop_at is not None and now >= self.drop_at:
            raise Lost(1006, "the server is silent")
        if self.drop_at is None and now >= self.ping_at:
            self.write(encode(["ping", 0]))
            self.drop_at = now + PONG_SECONDS
        if self.move_at is not None and now >= self.move_at:
            self.move()
        yield self.ping_at if self.drop_at is None else self.drop_at
        yield self.move_at

    def move(self):
        try:
            fresh = self.connect()
        except (OSError, Lost):
            self.move_at = time.monotonic() + back_off(3)  # the old socket still works
            return
        self.socket.close()  # ends no membership
        self.begin(fresh)
        self.wake()

    def receive(self, message):
        envelope = decode(message)
        if envelope is None:
            return
        kind = envelope.pop("type")
        if kind == "draining":
            if self.move_at is None:
                self.move_at = time.monotonic() + random.random() * envelope["windowMs"] / 1000
            for channel in self.channels:
                channel.emit("draining", envelope["windowMs"])
            return
        for channel in list(self.channels):
            if kind in ("pub", "restarted"):
                is_for = envelope["log"] in channel.logs
            else:
                is_for = channel.number is not None and envelope.get("channel") == channel.number
            if not is_for or not (channel.is_joined or kind in ("joined", "error", "closed")):
                continue
            getattr(channel, f"on_{kind}")(**envelope)
            if kind in ("msg", "reply") or kind == "error" and envelope["n"] > 0:
                channel.count_private(len(message))
