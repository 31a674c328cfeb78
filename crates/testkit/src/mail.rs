//! A request to send, with defaults for all that a test is not about.

use std::time::Duration;

use postrider_proto::v1::send_mail_request::Expiration;
use postrider_proto::v1::{Address, Email, InDoubtPolicy, SendMailRequest, WaitFor};

/// A request to be sent.
#[derive(Clone)]
pub struct Mail {
    pub request: SendMailRequest,
}

/// A short mail of a reseller to one customer.
pub fn mail(reseller: &str) -> Mail {
    let email = Email {
        to: vec![address("ann@customer.example")],
        subject: "An offer".to_owned(),
        text: "Dear Ann, here it is.".to_owned(),
        ..Email::default()
    };
    Mail {
        request: SendMailRequest {
            reseller: reseller.to_owned(),
            email: Some(email),
            ..SendMailRequest::default()
        },
    }
}

pub fn address(address: &str) -> Address {
    Address { address: address.to_owned(), ..Address::default() }
}

impl Mail {
    #[must_use]
    pub fn about(self, subject: &str) -> Self {
        self.with(|email| subject.clone_into(&mut email.subject))
    }

    #[must_use]
    pub fn to(self, recipient: &str) -> Self {
        self.with(|email| email.to = vec![address(recipient)])
    }

    /// Any change of the email.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Email)) -> Self {
        change(self.request.email.get_or_insert_default());
        self
    }

    #[must_use]
    pub fn request_id(mut self, request_id: &str) -> Self {
        request_id.clone_into(&mut self.request.request_id);
        self
    }

    #[must_use]
    pub fn waiting_for_sent(mut self) -> Self {
        self.request.set_wait_for(WaitFor::Sent);
        self
    }

    #[must_use]
    pub fn at_most_once(mut self) -> Self {
        self.request.set_in_doubt(InDoubtPolicy::AtMostOnce);
        self
    }

    #[must_use]
    pub fn only_validated(mut self) -> Self {
        self.request.validate_only = true;
        self
    }

    #[must_use]
    pub fn at(mut self, send_time: prost_types::Timestamp) -> Self {
        self.request.send_time = Some(send_time);
        self
    }

    #[must_use]
    pub fn expiring_at(mut self, expire_time: prost_types::Timestamp) -> Self {
        self.request.expiration = Some(Expiration::ExpireTime(expire_time));
        self
    }

    #[must_use]
    pub fn living(mut self, ttl: Duration) -> Self {
        self.request.expiration = Some(Expiration::Ttl(ttl.try_into().unwrap()));
        self
    }

    #[must_use]
    pub fn labelled(mut self, key: &str, value: &str) -> Self {
        self.request.labels.insert(key.to_owned(), value.to_owned());
        self
    }
}

impl From<Mail> for SendMailRequest {
    fn from(mail: Mail) -> Self {
        mail.request
    }
}
