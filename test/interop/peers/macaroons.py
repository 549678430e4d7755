"""Answers macaroon.test.ts with pymacaroons: JSON cases on stdin, JSON answers on stdout."""
import base64
import json
import sys

from pymacaroons import MACAROON_V2, Macaroon, Verifier


def read(text):
    return Macaroon.deserialize(base64.urlsafe_b64encode(bytes.fromhex(text)).decode().rstrip("="))


def write(macaroon):
    text = macaroon.serialize()
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()


def verifies(macaroon, key):
    verifier = Verifier()
    verifier.satisfy_general(lambda caveat: True)
    try:
        return verifier.verify(macaroon, key)
    except Exception:
        return False


def answer(case):
    key = bytes.fromhex(case["rootKey"])
    minted = Macaroon(
        location=case["location"], identifier=bytes.fromhex(case["identifier"]), key=key, version=MACAROON_V2
    )
    for caveat in case["caveats"]:
        minted.add_first_party_caveat(caveat)
    extended = read(case["shorter"])
    extended.add_first_party_caveat(case["caveats"][-1])
    return {
        "minted": write(minted),
        "extended": write(extended),
        "copied": write(read(case["ours"])),
        "verified": verifies(read(case["ours"]), key),
        "verifiedWithAnotherKey": verifies(read(case["ours"]), b"another"),
    }


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
