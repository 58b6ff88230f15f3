"""The verifier of README.md (as fleet_verify.py beside this file) against the contract's vectors."""

import base64
import json
import pathlib

from fleet_verify import open_verifysign, signature_is_ours

vectors = json.loads(pathlib.Path(__file__).with_name("vectors.json").read_text())
checks = 0


def refuses(*arguments):
    global checks
    checks += 1
    try:
        text = open_verifysign(*arguments)
    except ValueError:
        return
    raise SystemExit(f"believed: {arguments} says {text}")


for vector in vectors["signature"]:
    secret, body, sent = vector["secret"], vector["body"].encode(), vector["signature"]
    assert signature_is_ours(secret, body, sent)
    for wrong in [(secret + "x", body, sent), (secret, body + b" ", sent), (secret, body, ""), (secret, body, sent[:-1])]:
        assert not signature_is_ours(*wrong), wrong
        checks += 1

for vector in vectors["verifysign"]:
    key, serialised = vector["key"].encode(), vector["serialised"]
    sign = vector.get("sign") or base64.b64encode(json.dumps(vector["envelope"]).encode()).decode()
    assert open_verifysign(key, sign, serialised) == vector["text"], vector
    refuses(key[::-1] if key[::-1] != key else b"another 16 bytes", sign, serialised)
    refuses(key, sign, not serialised) if serialised is False else None
    envelope = json.loads(base64.b64decode(sign))
    for part in ("iv", "value", "mac"):
        changed = dict(envelope)
        changed[part] = ("B" if changed[part][0] != "B" else "C") + changed[part][1:]
        refuses(key, base64.b64encode(json.dumps(changed).encode()).decode(), serialised)
    refuses(key, "", serialised)
    refuses(key, "e30=", serialised)
    checks += 1

print(json.dumps({"checks": checks}))
