//! Whether a caller may make a call, before anything in the request is validated.

use postrider_domain::ResellerId;

use super::Caller;
use super::scopes::{Reach, Rule, rule};
use crate::status::Refusal;

/// For which reseller a request is, as it says so itself, not yet looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResellerClaim<'a> {
    One(&'a str),
    /// Empty: all.
    Each(&'a [String]),
    /// None is named; the handler answers with what is the caller's alone.
    Mine,
}

impl ResellerClaim<'_> {
    /// The one that is named, if it can be one's name.
    pub(crate) fn reseller(self) -> Option<ResellerId> {
        match self {
            Self::One(name) => ResellerId::parse(name).ok(),
            Self::Each(_) | Self::Mine => None,
        }
    }
}

/// By the table of `scopes.rs`. A reseller that a bound key does not name is denied, an empty or malformed one too; a key
/// for all passes, and validation says what is wrong with the name.
pub fn authorise(caller: &Caller, rpc: &str, claim: ResellerClaim<'_>) -> Result<(), Refusal> {
    let allowed = rule(rpc).is_some_and(|rule| has_scope(caller, rule) && reaches(caller, rule.reach, claim));
    if allowed { Ok(()) } else { Err(Refusal::AccessDenied) }
}

pub(super) fn has_scope(caller: &Caller, rule: &Rule) -> bool {
    rule.scopes.iter().any(|&scope| caller.has(scope))
}

fn reaches(caller: &Caller, reach: Reach, claim: ResellerClaim<'_>) -> bool {
    let owns = |name: &str| {
        caller.resellers().is_none_or(|own| own.iter().any(|reseller| reseller.as_str() == name))
    };
    match (reach, claim) {
        (Reach::One, ResellerClaim::One(name)) => owns(name),
        (Reach::OneOrMine, ResellerClaim::One(name)) => name.is_empty() || owns(name),
        (Reach::Each, ResellerClaim::Each(names)) => {
            caller.resellers().is_none() || (!names.is_empty() && names.iter().all(|name| owns(name)))
        }
        (Reach::Mine, ResellerClaim::Mine) => true,
        // Why: a handler that claims another reach than the table's would pass by the table.
        _ => false,
    }
}
