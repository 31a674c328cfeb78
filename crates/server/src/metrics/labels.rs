//! Labels, and the bound on how many of them there can be.
//!
//! All but the reseller come from closed lists. Resellers get labels only where the operator asks for it, and only so many:
//! the others share one.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use postrider_domain::ResellerId;

pub(super) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// Resellers with a label of their own, the first ones seen.
pub(super) const RESELLERS_MAX: u32 = 1_000;
/// The rest of them. No reseller has such a name.
const OTHERS: &str = "_others";

pub(super) struct ResellerLabels(Option<Mutex<HashSet<ResellerId>>>);

impl ResellerLabels {
    pub(super) fn new(wanted: bool) -> Self {
        Self(wanted.then(Mutex::default))
    }

    pub(super) fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Whether more resellers would get a label of their own.
    pub(super) fn have_room(&self) -> bool {
        self.0.as_ref().is_some_and(|known| !is_full(&lock(known)))
    }

    /// These resellers have labels from now on, as far as there is room.
    pub(super) fn know<'a>(&self, resellers: impl Iterator<Item = &'a ResellerId>) {
        if let Some(known) = &self.0 {
            resellers.for_each(|reseller| drop(label(known, reseller)));
        }
    }

    /// The reseller's label, where that is wanted, before these.
    pub(super) fn with<const N: usize>(
        &self,
        reseller: Option<&ResellerId>,
        others: [(&'static str, &'static str); N],
    ) -> Labels {
        labels(self.0.as_ref().zip(reseller).map(|(known, reseller)| label(known, reseller)), others)
    }

    /// The labels that resellers have so far; where none is wanted, the one lack of a label.
    pub(super) fn so_far(&self) -> Vec<Option<Cow<'static, str>>> {
        let Some(known) = &self.0 else { return vec![None] };
        let known = lock(known);
        let others = is_full(&known).then(|| OTHERS.into());
        known.iter().map(|reseller| reseller.as_str().to_owned().into()).chain(others).map(Some).collect()
    }
}

pub(super) fn labels<const N: usize>(
    reseller: Option<Cow<'static, str>>,
    others: [(&'static str, &'static str); N],
) -> Labels {
    let reseller = reseller.map(|label| ("reseller", label));
    reseller.into_iter().chain(others.map(|(name, value)| (name, value.into()))).collect()
}

fn label(known: &Mutex<HashSet<ResellerId>>, reseller: &ResellerId) -> Cow<'static, str> {
    let mut known = lock(known);
    if !known.contains(reseller) {
        if is_full(&known) {
            return OTHERS.into();
        }
        known.insert(reseller.clone());
    }
    reseller.as_str().to_owned().into()
}

fn is_full(known: &HashSet<ResellerId>) -> bool {
    known.len() >= RESELLERS_MAX as usize
}

fn lock(known: &Mutex<HashSet<ResellerId>>) -> MutexGuard<'_, HashSet<ResellerId>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A status of HTTP. Those that nobody registered are told by their first digit, as in `5xx`; no answer is "".
pub(super) fn status(status: Option<u16>) -> Cow<'static, str> {
    let Some(status) = status else { return "".into() };
    let registered = StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    match registered {
        Some(_) => status.to_string().into(),
        None => format!("{}xx", status / 100).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reseller(number: u32) -> ResellerId {
        ResellerId::parse(&format!("r{number}")).unwrap()
    }

    #[test]
    fn no_label_carries_a_reseller_unless_that_is_wanted() {
        let labels = ResellerLabels::new(false).with(Some(&reseller(1)), [("state", "sent")]);
        assert_eq!(labels, [("state", "sent".into())]);
        let labels = ResellerLabels::new(true).with(Some(&reseller(1)), [("state", "sent")]);
        assert_eq!(labels, [("reseller", "r1".into()), ("state", "sent".into())]);
    }

    #[test]
    fn resellers_beyond_the_bound_share_a_label_and_the_first_keep_theirs() {
        let labels = ResellerLabels::new(true);
        let label = |number| labels.with(Some(&reseller(number)), [])[0].1.clone();
        for number in 0..RESELLERS_MAX {
            assert_eq!(label(number), format!("r{number}"));
        }
        assert_eq!(label(RESELLERS_MAX), OTHERS);
        assert_eq!(labels.so_far().len(), RESELLERS_MAX as usize + 1);
        assert_eq!(label(0), "r0");
    }

    #[test]
    fn what_answers_with_invented_statuses_makes_five_labels() {
        assert_eq!([status(Some(202)), status(Some(599)), status(None)], ["202", "5xx", ""]);
    }
}
