//! What a reader asked for, within what it may read.

use postrider_domain::{Labels, Message, MessageState, ResellerId};
use postrider_store::Changed;

#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// One reseller, or all the caller may read.
    pub whose: Whose,
    /// New states; empty: any.
    pub states: Vec<MessageState>,
    /// All given pairs match.
    pub labels: Labels,
}

#[derive(Debug, Clone)]
pub(crate) enum Whose {
    One(ResellerId),
    /// Those a bound key names.
    These(Vec<ResellerId>),
    All,
}

impl Filter {
    pub(crate) fn reseller(&self) -> Option<&ResellerId> {
        match &self.whose {
            Whose::One(reseller) => Some(reseller),
            Whose::These(_) | Whose::All => None,
        }
    }

    pub(crate) fn is_of(&self, reseller: &ResellerId) -> bool {
        match &self.whose {
            Whose::One(own) => own == reseller,
            Whose::These(own) => own.contains(reseller),
            Whose::All => true,
        }
    }

    pub(crate) fn takes(&self, message: &Message) -> bool {
        self.is_of(&message.reseller)
            && (self.states.is_empty() || self.states.contains(&message.state))
            && self.labels.iter().all(|(key, value)| message.labels.get(key) == Some(value))
    }

    /// Whether it is worth a look.
    pub(crate) fn may_be_of(&self, change: &Changed) -> bool {
        match change {
            Changed::Message(reseller, _) => self.is_of(reseller),
            Changed::Anything => true,
        }
    }
}
