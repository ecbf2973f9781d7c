"""python3 check_vectors.py vectors.json: whether envelopes.py reads and writes the test vectors."""

import json
import sys

from envelopes import FROM_CLIENT, FROM_SERVER, Fault, decode, encode

KINDS = {"server": FROM_CLIENT, "client": FROM_SERVER}  # by who receives


def message(vector):
    return vector["text"] if "text" in vector else bytes.fromhex(vector["hex"])


def whole(vector):
    payload = {"payload": bytes.fromhex(vector["payloadHex"])} if "payloadHex" in vector else {}
    return {**vector["envelope"], **payload}


def main(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    for vector in vectors["envelopes"]:
        kinds = FROM_CLIENT if vector["from"] == "client" else FROM_SERVER
        envelope = whole(vector)
        assert decode(message(vector), kinds) == envelope, vector
        assert encode([envelope[name] for name in ["type", *kinds[envelope["type"]].split()]]) == message(vector), vector
    for vector in vectors["ignored"]:
        assert decode(message(vector), KINDS[vector["to"]]) is None, vector
    for vector in vectors["tolerated"]:
        assert decode(message(vector), KINDS[vector["to"]]) == whole(vector), vector
    for vector in vectors["faults"]:
        try:
            decode(message(vector), KINDS[vector["to"]])
        except Fault:
            continue
        raise AssertionError(f"no fault: {vector}")
    for name in ("envelopes", "ignored", "tolerated", "faults"):
        print(name, len(vectors[name]))


if __name__ == "__main__":
    main(sys.argv[1])
