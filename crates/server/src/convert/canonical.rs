//! When two requests of one `request_id` are the same: by a hash over all that their caller meant.

use postrider_credential_store::KeyedHash;
use postrider_domain::Attachment;
use postrider_proto::v1;
use postrider_store::ContentHash;
use prost::Message as _;

/// The request with every default spelled out, and nothing that may differ between two calls for the same message.
pub(crate) fn hash_of_mail(key: &KeyedHash, request: &v1::SendMailRequest) -> ContentHash {
    let mut canonical = request.clone();
    canonical.request_id.clear();
    canonical.wait_for = 0;
    canonical.validate_only = false;
    if canonical.priority == 0 {
        canonical.priority = v1::Priority::Normal.into();
    }
    if canonical.in_doubt == 0 {
        canonical.in_doubt = v1::InDoubtPolicy::AtLeastOnce.into();
    }
    if let Some(email) = &mut canonical.email {
        email.from = email.from.take().filter(|from| *from != v1::Address::default());
        email.save_to_sent_items.get_or_insert(true);
        if email.importance == 0 {
            email.importance = v1::Importance::Normal.into();
        }
        for attachment in &mut email.attachments {
            if attachment.content_type.is_empty() {
                Attachment::CONTENT_TYPE_DEFAULT.clone_into(&mut attachment.content_type);
            }
        }
    }
    ContentHash(key.hash(&[&canonical.encode_to_vec()]))
}

/// The same for a test of settings, which is never the same as a mail.
pub(crate) fn hash_of_test(key: &KeyedHash, request: &v1::TestSettingsRequest) -> ContentHash {
    let mut canonical = request.clone();
    canonical.request_id.clear();
    if canonical.level == 0 {
        canonical.level = v1::TestLevel::Send.into();
    }
    if let Some(candidate) = &mut canonical.candidate {
        candidate.reseller.clone_from(&request.reseller);
        if candidate.cloud == 0 {
            candidate.cloud = v1::Cloud::Global.into();
        }
    }
    ContentHash(key.hash(&[b"test", &canonical.encode_to_vec()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tests::pepper as key;

    #[test]
    fn a_default_spelled_out_is_the_same_mail_and_a_name_without_an_address_is_not() {
        let mail = |from: Option<v1::Address>, content_type: &str| {
            let attachment = v1::Attachment { content_type: content_type.to_owned(), ..Default::default() };
            let email = v1::Email { from, attachments: vec![attachment], ..Default::default() };
            hash_of_mail(&key(), &v1::SendMailRequest { email: Some(email), ..Default::default() })
        };
        let plain = mail(None, "");
        assert_eq!(plain, mail(Some(v1::Address::default()), "application/octet-stream"));
        assert_ne!(plain, mail(None, "text/plain"));
        let named = v1::Address { display_name: "Ada".to_owned(), ..Default::default() };
        assert_ne!(plain, mail(Some(named), ""));
    }

    #[test]
    fn a_test_is_the_same_under_any_request_id_and_no_mail() {
        let test = |request_id: &str, level: i32| {
            let request = v1::TestSettingsRequest {
                reseller: "acme".to_owned(),
                request_id: request_id.to_owned(),
                level,
                ..Default::default()
            };
            hash_of_test(&key(), &request)
        };
        assert_eq!(test("a", 0), test("b", v1::TestLevel::Send.into()));
        assert_ne!(test("a", 0), test("a", v1::TestLevel::Token.into()));
        let mail = v1::SendMailRequest { reseller: "acme".to_owned(), ..Default::default() };
        assert_ne!(test("a", 0), hash_of_mail(&key(), &mail));
    }
}
