"""Sends a mail for a reseller, waits until Microsoft took it, and tests the reseller's settings.

POSTRIDER_URL=http://127.0.0.1:50051 POSTRIDER_KEY=pr_… python examples/send.py [RESELLER [RECIPIENT]]
"""

import sys

from postrider import Client, PostriderError, v1


def main(reseller: str = "acme", recipient: str = "ada@example.net") -> None:
    with Client.from_env(timeout=60) as client:
        try:
            send(client, reseller, recipient)
            test(client, reseller)
        except PostriderError as error:
            if error.reason == "SETTINGS_MISSING":
                sys.exit(f"{reseller} has no settings yet: `postrider settings put {reseller} …`")
            sys.exit(str(error))


def send(client: Client, reseller: str, recipient: str) -> None:
    sent = client.send_mail(
        v1.SendMailRequest(
            reseller=reseller,
            email=v1.Email(
                to=[v1.Address(address=recipient, display_name="Ada")],
                subject="Hello from Python",
                text="Sent by the Python client's example.",
            ),
            wait_for=v1.WAIT_FOR_SENT,
        )
    )
    message = sent.message
    print(message.message_id, v1.MessageState.Name(message.state))
    if message.state != v1.MESSAGE_STATE_SENT:
        sys.exit(f"not sent: {message.finding.title}\n{message.finding.mend}")


def test(client: Client, reseller: str) -> None:
    result = client.test_settings(v1.TestSettingsRequest(reseller=reseller))
    for step in result.steps:
        print(v1.TestStep.Name(step.name), v1.TestStatus.Name(step.status))
        for finding in step.findings:
            print(f"  {finding.code}: {finding.title}\n  {finding.mend}")
    if not result.passed:
        sys.exit("the settings do not work")


if __name__ == "__main__":
    main(*sys.argv[1:])
