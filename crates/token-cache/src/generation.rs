use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use postrider_domain::ResellerId;

/// Resellers remembered one by one; past that, all are forgotten at once.
const FORGOTTEN_MAX: usize = 65_536;

/// Numbers that rise whenever a reseller is forgotten: what was fetched under an older one is out of reach.
///
/// Unlike the removal of entries, this also reaches fetches still under way, and costs the same however many entries
/// there are. No number is ever given to one reseller twice.
#[derive(Default)]
pub(crate) struct Generations(RwLock<State>);

#[derive(Default)]
struct State {
    latest: u64,
    /// Of all who are not in `own`.
    common: u64,
    own: HashMap<ResellerId, u64>,
}

impl Generations {
    pub(crate) fn of(&self, reseller: &ResellerId) -> u64 {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.own.get(reseller).copied().unwrap_or(state.common)
    }

    pub(crate) fn next(&self, reseller: &ResellerId) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.latest += 1;
        let latest = state.latest;
        if state.own.len() < FORGOTTEN_MAX || state.own.contains_key(reseller) {
            state.own.insert(reseller.clone(), latest);
        } else {
            state.own.clear();
            state.common = latest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reseller(n: usize) -> ResellerId {
        ResellerId::parse(&format!("r{n}")).unwrap()
    }

    #[test]
    fn only_the_forgotten_reseller_moves_on() {
        let generations = Generations::default();
        let before = (generations.of(&reseller(1)), generations.of(&reseller(2)));
        generations.next(&reseller(1));
        assert_ne!(generations.of(&reseller(1)), before.0);
        assert_eq!(generations.of(&reseller(2)), before.1);
    }

    #[test]
    fn memory_is_bounded_and_no_number_comes_back() {
        let generations = Generations::default();
        let mut seen = vec![generations.of(&reseller(0))];
        for n in 0..=FORGOTTEN_MAX {
            generations.next(&reseller(n));
            let now = generations.of(&reseller(0));
            if seen.last() != Some(&now) {
                assert!(!seen.contains(&now), "{now} was given before");
                seen.push(now);
            }
        }
        assert_eq!(seen.len(), 3, "at first, when forgotten, and when all were: {seen:?}");
        assert_eq!(generations.0.read().unwrap().own.len(), 0);
    }
}
