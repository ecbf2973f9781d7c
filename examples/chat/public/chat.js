const byId = (id) => document.getElementById(id);
const listOf = new Intl.ListFormat("en");

/** The rooms that are open, kept current while nobody has entered one. */
const rooms = follow("rooms", ({ type, rooms: open }) => {
  if (type !== "rooms") return;
  byId("rooms").replaceChildren(...open.map(({ room }) => new Option(room)));
  byId("open").textContent =
    open.length === 0
      ? "No room is open yet."
      : `Open: ${open.map(({ room, people }) => `${room} (${people})`).join(", ")}`;
});

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, room } = Object.fromEntries(new FormData(event.target));
  rooms.end();
  byId("enter").hidden = true;
  byId("room").hidden = false;
  byId("room-name").textContent = room;
  enter(room, name.trim());
  byId("say").elements.text.focus();
});

function enter(room, name) {
  const talk = byId("talk");
  const path = `room/${room}?name=${encodeURIComponent(name)}`;
  const socket = follow(path, show, {
    opened: () => talk.replaceChildren(),
    closed: () => {
      byId("people").textContent = "The connection is gone. Trying again…";
      byId("typing").textContent = "";
    },
  });

  function show(event) {
    switch (event.type) {
      case "said":
        talk.append(said(event));
        byId("log").scrollTop = byId("log").scrollHeight;
        break;
      case "people":
        byId("people").textContent = `Here: ${listOf.format(event.names)}`;
        break;
      case "typing": {
        const others = event.names.filter((other) => other !== name);
        const verb = others.length === 1 ? "is" : "are";
        byId("typing").textContent =
          others.length === 0 ? "" : `${listOf.format(others)} ${verb} typing…`;
      }
    }
  }

  let lastTyping = -Infinity;
  byId("say").addEventListener("input", () => {
    // More often than the room forgets it, and less often than keys are hit.
    if (performance.now() - lastTyping < 2000) return;
    lastTyping = performance.now();
    socket.send({ type: "typing" });
  });
  byId("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const { text } = event.target.elements;
    if (text.value.trim() === "" || !socket.send({ type: "say", text: text.value })) return;
    text.value = "";
    lastTyping = -Infinity;
  });
}

function said({ name, text, at }) {
  const item = document.createElement("li");
  const who = document.createElement("b");
  const when = document.createElement("time");
  who.textContent = name;
  when.dateTime = at;
  when.textContent = new Date(at).toLocaleTimeString("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
  });
  item.append(who, " ", when, document.createElement("br"), text);
  return item;
}

/** A socket that comes back. What was missed is in the room's log, which each new one gets first. */
function follow(path, handle, { opened = () => {}, closed = () => {} } = {}) {
  const url = new URL(`websocket/${path}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  let socket;
  let timer;
  const open = () => {
    socket = new WebSocket(url);
    socket.onopen = opened;
    socket.onmessage = ({ data }) => handle(JSON.parse(data));
    socket.onclose = () => {
      closed();
      timer = setTimeout(open, 1000);
    };
  };
  open();
  return {
    /** Whether it could be sent. */
    send(message) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
    end() {
      clearTimeout(timer);
      socket.onclose = null;
      socket.close();
    },
  };
}
