"""A receiver for the fleet: Transact Result, IPN, and the reports that a fraud desk gets.

It stands on the verifier of README.md, saved as fleet_verify.py beside this file. Settings, as JSON in
the first argument: `secret` (of Signature), `key` and `serialised` (of verifysign), `apiKey` (for
Transaction Query), `msisdnKey` (of the desk, hexadecimal). The first line of its input is the gateway's
address; it ends with its input. One line of output for each request.
"""

import base64
import email.parser
import email.policy
import json
import os
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fleet_verify import ipn_is_ours, signature_is_ours

settings = json.loads(sys.argv[1])
gateway = {}


def result(headers, body):
    """Transact Result: any 2xx acknowledges it."""
    verified = signature_is_ours(settings["secret"], body, headers.get("Signature", ""))
    return verified, json.loads(body), (202 if verified else 401, "")


def ipn(_headers, body):
    """IPN: the word `Success` acknowledges it, once Transaction Query agrees."""
    told = json.loads(body, parse_int=str, parse_float=str)
    verified = ipn_is_ours(settings["key"].encode(), body, settings["serialised"]) and is_paid(told)
    return verified, told, (200, "Success" if verified else "Fail")


def is_paid(told):
    url = f"{gateway['url']}/api/transactions/{told['transactionid']}"
    request = urllib.request.Request(url, headers={"Authorization": settings["apiKey"]})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found = json.loads(answer.read(), parse_int=str, parse_float=str)
    except urllib.error.HTTPError:
        return False
    fields = ("url", "accountID", "transactionid", "amount", "msisdn")
    return found["status"] == "SUCCESS" and all(found[field] == told[field] for field in fields)


def report(headers, body):
    """A transaction report: a multipart form, as Python's own parser reads it."""
    head = f"Content-Type: {headers['Content-Type']}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    form, names = {}, []
    for part in message.iter_parts():
        names.append(part.get_param("name", header="content-disposition"))
        form[names[-1]] = part.get_payload(decode=True).decode()
    sealed = base64.b64decode(form["msisdn"], validate=True)
    opened = AESGCM(bytes.fromhex(settings["msisdnKey"])).decrypt(sealed[:12], sealed[12:], None)
    form["msisdn"] = opened.decode()
    verified = not message.defects and len(names) == len(set(names))
    return verified, form, (200, json.dumps({"status": "ok", "success": 1, "message": ""}))


paths = {"/result": result, "/ipn": ipn, "/api/v2/transaction-report/": report}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            verified, told, (status, text) = paths[self.path](self.headers, body)
        except (KeyError, ValueError) as error:
            verified, told, (status, text) = False, repr(error), (400, "")
        line = {
            "path": self.path, "verified": verified, "told": told, "body": body.decode(),
            "signature": self.headers.get("Signature"),
        }
        print(json.dumps(line), flush=True)
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def follow_input():
    gateway["url"] = sys.stdin.readline().strip()
    sys.stdin.read()
    os._exit(0)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"port": server.server_port}), flush=True)
threading.Thread(target=follow_input, daemon=True).start()
server.serve_forever()
