//! The rules for recipients. One bad recipient refuses the whole mail.

use crate::answer::Refusal;
use crate::limits;

pub(crate) fn check(recipients: &[String]) -> Result<(), Refusal> {
    let invalid = |why: &str| {
        Refusal::bad_request("ErrorInvalidRecipients", format!("At least one recipient isn't valid., {why}"))
    };
    if recipients.is_empty() {
        return Err(invalid("A message can't be sent because it contains no recipients."));
    }
    if recipients.len() > limits::RECIPIENTS_MAX {
        let message = "The maximum number of recipients for a message was exceeded.";
        return Err(Refusal::bad_request("ErrorExceededMaxRecipientLimit", message));
    }
    match recipients.iter().find(|recipient| !is_address(recipient)) {
        None => Ok(()),
        Some(bad) => Err(invalid(&format!(
            "Recipient \"{bad}\" isn't resolved. All recipients must be resolved before a message can be submitted."
        ))),
    }
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ';' | ',' | '<' | '>' | '(' | ')');
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let local_is_good = !local.is_empty() && (quoted || !local.contains(|c| odd(c) || c == '@'));
    let domain_is_good = domain.split('.').all(|label| !label.is_empty()) && !domain.contains(odd);
    local_is_good && domain_is_good && text.len() <= 320
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_mailbox_and_nothing_else() {
        for good in ["a@b.example", "a.b+c@d.example", "ä@ö.example", "\"a b\"@c.example"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "bad",
            "@b.example",
            "a@",
            "a@b..example",
            "a b@c.example",
            "a@b.example;c@d.example",
            "a@b@c",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
