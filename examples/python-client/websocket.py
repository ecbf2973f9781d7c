"""A WebSocket of RFC 6455 for one thread that selects: the handshake waits, nothing else does."""

import base64
import hashlib
import os
import socket
import ssl
import struct
from urllib.parse import urlsplit

from envelopes import Fault

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Lost(Exception):
    """The connection is gone. `code` is that of the close frame, 1006 without one."""

    def __init__(self, code, reason=""):
        super().__init__(f"{code} {reason}".strip())
        self.code = code


class WebSocket:
    def __init__(self, base, headers, timeout=10):
        url = urlsplit(base)
        secure = url.scheme in ("https", "wss")
        port = url.port or (443 if secure else 80)
        self.socket = socket.create_connection((url.hostname, port), timeout)
        try:
            if secure:
                context = ssl.create_default_context()
                self.socket = context.wrap_socket(self.socket, server_hostname=url.hostname)
            self.input = bytearray(self.handshake(url, headers))
        except BaseException:
            self.socket.close()
            raise
        self.socket.setblocking(False)
        self.output = bytearray()
        self.parts, self.opcode = bytearray(), 0  # of a fragmented message

    def handshake(self, url, headers):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {url.path.rstrip('/')}/websocket HTTP/1.1", f"Host: {url.netloc.split('@')[-1]}",
            "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: windsock.v1",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = self.socket.recv(4096)
            if not chunk or len(answer) > 64 * 1024:
                raise Lost(1006, "no answer to the handshake")
            answer += chunk
        head, _, rest = answer.partition(b"\r\n\r\n")
        status, *rows = head.decode("latin-1").split("\r\n")
        if status.split()[1:2] != ["101"]:
            raise Lost(1006, f"the handshake was answered {status}")
        fields = {name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        if fields.get("sec-websocket-accept") != base64.b64encode(digest).decode():
            raise Lost(1006, "the handshake's answer is not for its key")
        if fields.get("sec-websocket-protocol") != "windsock.v1":
            raise Lost(1006, "no windsock.v1 here")
        self.cookie = fields.get("set-cookie", "").partition(";")[0]
        return rest

    def write(self, opcode, payload):
        """Put one frame into the output; each frame of a client is masked."""
        size, mask = len(payload), os.urandom(4)
        if size < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
        key = (mask * (size // 4 + 1))[:size]
        masked = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
        self.output += head + mask + masked.to_bytes(size, "big")

    def flush(self):
        try:
            while self.output:
                del self.output[: self.socket.send(self.output)]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            raise Lost(1006, str(error)) from error

    def read(self):
        """What has arrived: str and bytes. Raises Lost when nothing more will."""
        while True:
            try:
                chunk = self.socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError as error:
                raise Lost(1006, str(error)) from error
            if not chunk:
                raise Lost(1006, "the connection ended")
            self.input += chunk
            yield from self.messages()

    def messages(self):
        while len(self.input) >= 2:
            first, size, at = self.input[0], self.input[1], 2
            if size > 127 or first & 0x70:
                raise Fault("a frame that a server does not send")
            if size > 125:
                at = 4 if size == 126 else 10
                size = int.from_bytes(self.input[2:at], "big")
            if len(self.input) < at or len(self.input) < at + size:
                return
            payload = bytes(self.input[at : at + size])
            del self.input[: at + size]
            yield from self.frame(first & 0x0F, bool(first & 0x80), payload)

    def frame(self, opcode, is_last, payload):
        if opcode == CLOSE:
            self.write(CLOSE, payload[:2])
            self.flush()
            code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005
            raise Lost(code, payload[2:].decode(errors="replace"))
        if opcode in (PING, PONG):
            if opcode == PING:
                self.write(PONG, payload)
            yield None  # a sign of life, no more
            return
        if opcode not in (0, TEXT, BINARY) or (opcode == 0) != (self.opcode != 0):
            raise Fault("a frame out of order")
        self.opcode = self.opcode or opcode
        self.parts += payload
        if is_last:
            message, kind = bytes(self.parts), self.opcode
            self.parts, self.opcode = bytearray(), 0
            try:
                yield message.decode() if kind == TEXT else message
            except UnicodeDecodeError as error:
                raise Fault("text that is not UTF-8") from error

    def close(self, code=1000):
        try:
            self.write(CLOSE, struct.pack(">H", code))
            self.flush()
        except Lost:
            pass
        self.socket.close()
