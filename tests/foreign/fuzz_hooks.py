"""What schemathesis cannot know: signatures, the sample's products, references that exist.

Only valid requests are changed, so that they get as far as a real client's; invalid ones go out as they
were made.
"""

import base64
import hmac
import json
import os
import random

import requests.auth
import schemathesis

CALLBACK_SECRET = b"sample-callback-secret"
# Purchases of client 1001: (raasTxnRef, clientTxnRef, reserveFundsTxnRef).
KNOWN = json.loads(os.environ["FLEET_FUZZ_KNOWN"])


class Signed(requests.auth.AuthBase):
    """Signs what is sent, whatever it is."""

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        digest = hmac.digest(CALLBACK_SECRET, body, "sha256")
        request.headers["Signature"] = base64.b64encode(digest).decode()
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    if operation == "supplierConfirmation":
        kwargs["auth"] = Signed()
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    change = VALID.get(operation)
    if change:
        change(case, random.Random(case.id))


def purchase(case, chance):
    bought(case.body, chance)


def bought(body, chance):
    body.update(clientId=1001, productId=101, currencyCode="ZAR", channelId=7)
    body["purchaseAmount"] = chance.randint(200, 100_000)
    if chance.random() < 0.7:
        # Generated ones repeat, and then it is another purchase's: a conflict.
        body["clientTxnRef"] = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=20))
    # Of this product it is a phone's; the document's pattern is that of all products.
    number = f"2782{chance.randint(100, 999)}0000"
    body["targetIdentifier"] = chance.choice(["", "+", "00"]) + number
    for name in ("feeAmount", "fundingSourceId"):
        body.pop(name, None)
    if isinstance(body.get("additionalData"), dict):
        body["additionalData"].pop("fundingSource", None)
    # What this client has set up of it.
    for place in (body, body.get("additionalData")):
        if isinstance(place, dict) and place.get("deliver"):
            place["deliver"] = ["transact_result"]
        # Which goes with the channel `email`, and is an address that mail may go to.
        if isinstance(place, dict) and (place.get("notify") or place.get("notifyEmail")):
            place["notifyEmail"] = "ada@mail.example.com"


def look_up(case, chance):
    raas, client, reserve = chance.choice(KNOWN)
    known = {"raasTxnRef": raas, "clientTransactionReference": client, "reserveFundsTxnRef": reserve}
    name = chance.choice(list(known))
    value = case.query.get(name, known[name]) if chance.random() < 0.3 else known[name]
    case.query = {"clientId": 1001, name: value}


def query(case, chance):
    if chance.random() < 0.7:
        case.path_parameters["id"] = chance.choice(KNOWN)[0]


def confirmation(case, chance):
    case.path_parameters["connector"] = "supplier-callback"


def token(case, chance):
    case.body.update(client_id="1001", client_secret="sample-oauth-secret-1001")


def of_client(case, chance):
    case.query["clientId"] = 1001


def terms(case, chance):
    case.query.update(clientId=1001, productId=101, purchaseAmount=chance.randint(200, 100_000))


def operator(case, chance):
    case.query.update(clientId=1001, msisdn="27821234567", countryCallingCode=27)


def account(case, chance):
    case.body.update(clientId=1001, productId=201, purchaseAmount=chance.randint(1_000, 500_000))


def notification(case, chance):
    # Few, and each again and again: a purchase has a limited number of them.
    number = chance.randrange(8)
    body = case.body
    body.update(clientId=1001, clientNotificationRef=f"note-{number}", channelId=6)
    body.update(transactionRef=KNOWN[number % len(KNOWN)][0], destinationIdentifier="27821234567")
    body.update(message=f"Message {number}", sourceIdentifier=None)


def card_payment(case, chance):
    case.headers = {**(case.headers or {}), "Authorization": "sample-key-1021"}
    case.body.update(account_id="1", currency="USD", amount=f"{chance.randint(1, 9_000)}.50")
    case.body["order_info"] = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=20))


def mo_charge(case, chance):
    case.path_parameters["connector"] = "mo-sample"
    for told in case.body.values():
        if isinstance(told, dict) and told.get("transaction", {}).get("status") == "CHARGED":
            told["transaction"]["transaction_id"] = "1910173"


def access_token(case, chance):
    body = case.body.get("purchase")
    if isinstance(body, dict):
        bought(body, chance)
        body["fundingSourceId"] = "billblend-sample"


def sale_callback(case, chance):
    case.path_parameters["connector"] = "billblend-sample"


def completion(case, chance):
    case.path_parameters["connector"] = "card-sample"


VALID = {
    "accessToken": access_token,
    "cardSaleCallback": sale_callback,
    "cardPayment": card_payment,
    "moChargeNotification": mo_charge,
    "cardPaymentCompletion": completion,
    "token": token,
    "financialTerms": terms,
    "productLookup": of_client,
    "mnoLookup": operator,
    "userTransactionLookup": of_client,
    "tokenLookup": of_client,
    "customerAccountValidation": account,
    "notification": notification,
    "transact": purchase,
    "reserveAndTransact": purchase,
    "transactionLookup": look_up,
    "transactionQuery": query,
    "supplierConfirmation": confirmation,
}
