# Reads lines and answers each: `submit URL HEX` submits a digest with python-opentimestamps' own client and prints the .ots
# file in hex; `check HEX HEADER` reads an .ots file and prints the time of the block that the 80 bytes of HEADER are of,
# or why not.
import sys
from opentimestamps.calendar import RemoteCalendar
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
from opentimestamps.core.op import OpSHA256
from opentimestamps.core.serialize import BytesDeserializationContext, BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp


class Header:
    def __init__(self, raw):
        self.hashMerkleRoot = raw[36:68]
        self.nTime = int.from_bytes(raw[68:72], "little")


def answer(verb, a, b):
    if verb == "submit":
        timestamp = Timestamp(bytes.fromhex(b))
        timestamp.merge(RemoteCalendar(a).submit(timestamp.msg))
        context = BytesSerializationContext()
        DetachedTimestampFile(OpSHA256(), timestamp).serialize(context)
        return context.getbytes().hex()
    detached = DetachedTimestampFile.deserialize(BytesDeserializationContext(bytes.fromhex(a)))
    for message, attestation in detached.timestamp.all_attestations():
        if isinstance(attestation, BitcoinBlockHeaderAttestation):
            return str(attestation.verify_against_blockheader(message, Header(bytes.fromhex(b))))
    return "pending"


for line in sys.stdin:
    try:
        print(answer(*line.split()))
    except Exception as error:
        print("refused: %s" % type(error).__name__)
