"""Reads mail with Python's own parser: a line of base64 in, a line of JSON out."""

import base64
import email
import email.header
import email.policy
import email.utils
import json
import sys


def addresses(raw, name):
    # By the older reader: the newer one puts a blank between two encoded words of a name (until Python 3.13).
    headers = email.message_from_bytes(raw).get_all(name, [])
    pairs = email.utils.getaddresses([header.replace("\r\n", "") for header in headers])
    decoded = lambda name: str(email.header.make_header(email.header.decode_header(name)))
    return [[decoded(name), address] for name, address in pairs]


def text_of(part):
    return part.get_payload(decode=True).decode("utf-8").replace("\r\n", "\n")


def read(raw):
    message = email.message_from_bytes(raw, policy=email.policy.default)
    texts, files, defects = {}, [], [type(one).__name__ for one in message.defects]
    for part in message.walk():
        defects += [type(one).__name__ for one in part.defects if part is not message]
        if part.is_multipart():
            continue
        disposition = part.get_content_disposition()
        if disposition is None:
            texts[part.get_content_type()] = text_of(part)
            continue
        content = base64.b64encode(part.get_payload(decode=True)).decode("ascii")
        files.append([part.get_filename(), part["Content-ID"], content])
    files.sort(key=lambda one: json.dumps(one, ensure_ascii=False, separators=(",", ":")))
    return {
        "subject": message["Subject"] or "",
        "message_id": message["Message-ID"],
        "to": addresses(raw, "To"),
        "cc": addresses(raw, "Cc"),
        "bcc": addresses(raw, "Bcc"),
        "reply_to": addresses(raw, "Reply-To"),
        "text": texts.get("text/plain"),
        "html": texts.get("text/html"),
        "files": files,
        "defects": defects,
    }


for line in sys.stdin:
    print(json.dumps(read(base64.b64decode(line))))
