"""MSAL for Python against the sandbox: tokens by a secret and by a certificate, and a mail with each.

Reads its settings as JSON from standard input; writes what it got as JSON.
"""

import json
import sys

import msal
import requests

given = json.load(sys.stdin)
http = requests.Session()
http.trust_env = False  # REQUESTS_CA_BUNDLE would win over what is said here.
http.verify = given["ca_file"]


def token_by(credential):
    app = msal.ConfidentialClientApplication(
        given["client_id"],
        client_credential=credential,
        authority=f"{given['origin']}/{given['tenant_id']}",
        instance_discovery=False,
        http_client=http,
    )
    answer = app.acquire_token_for_client(scopes=["https://graph.microsoft.com/.default"])
    if "access_token" not in answer:
        sys.exit(f"no token: {answer}")
    return answer["access_token"]


def send(token, subject):
    message = {
        "subject": subject,
        "body": {"contentType": "Text", "content": "From MSAL for Python."},
        "toRecipients": [{"emailAddress": {"address": "ada@example.net"}}],
    }
    answer = http.post(
        f"{given['origin']}/v1.0/users/{given['mailbox']}/sendMail",
        json={"Message": message, "SaveToSentItems": False},
        headers={"Authorization": f"Bearer {token}"},
    )
    if answer.status_code != 202:
        sys.exit(f"{answer.status_code}: {answer.text}")


proofs = {
    "secret": given["secret"],
    "certificate by its SHA-1 thumbprint": {
        "private_key": given["private_key"],
        "thumbprint": given["thumbprint"],
    },
    "certificate with its chain": {
        "private_key": given["private_key"],
        "public_certificate": given["chain"],
    },
}
for name, credential in proofs.items():
    send(token_by(credential), f"Python: {name}")
print(json.dumps({"msal": msal.__version__, "sent": len(proofs)}))
