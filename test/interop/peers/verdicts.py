"""Answers differential.test.ts with pymacaroons. A line on stdin is a root key, a token and its discharges, in hex; a line
on stdout is what was read, or "-" when it was refused."""
import hashlib
import sys

from pymacaroons import Verifier
from pymacaroons.serializers import BinarySerializer

serializer = BinarySerializer()


def hexed(value):
    return (value.encode() if isinstance(value, str) else value or b"").hex()


def reading(macaroon):
    caveats = "".join(
        ";%s,%s,%s" % (hexed(c.caveat_id_bytes), hexed(c.verification_key_id), hexed(c.location)) for c in macaroon.caveats
    )
    signature = macaroon.signature_bytes.decode()
    return "%s,%s%s.%s\n" % (hexed(macaroon.location), hexed(macaroon.identifier_bytes), caveats, signature)


def verdict(key, *pieces):
    verifier = Verifier()
    verifier.satisfy_general(lambda caveat: True)
    try:
        root, *discharges = [serializer.deserialize_raw(piece) for piece in pieces]
        if not verifier.verify(root, key, discharges):
            return "-"
        return hashlib.sha256("".join(map(reading, [root, *discharges])).encode()).hexdigest()[:16]
    except Exception:
        return "-"


for line in sys.stdin:
    print(verdict(*map(bytes.fromhex, line.rstrip("\n").split(" "))))
