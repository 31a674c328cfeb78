//! Entra is played by [`Entra`], which counts and holds back its answers; time stands still until it is moved.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use postrider_domain::{
    AccessToken, ClientId, Clock, Cloud, DirectoryId, Finding, FindingCode, Fingerprint, ResellerId,
    TestClock, TokenKey, TokenRefusal,
};
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;

use crate::TokenCache;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const PLENTY: u64 = 16 * 1024 * 1024;

/// Answers `token 1`, `token 2`, … or the refusal it was told to give.
struct Entra {
    clock: Arc<TestClock>,
    fetches: AtomicUsize,
    life: SignedDuration,
    refusal: Mutex<Option<TokenRefusal>>,
    door: Semaphore,
}

struct Given {
    cache: TokenCache,
    entra: Arc<Entra>,
    clock: Arc<TestClock>,
}

impl Given {
    fn tokens_that_live(life: SignedDuration) -> Self {
        let clock = Arc::new(TestClock::at(Timestamp::constant(1_800_000_000, 0)));
        let entra = Arc::new(Entra {
            clock: Arc::clone(&clock),
            fetches: AtomicUsize::new(0),
            life,
            refusal: Mutex::default(),
            door: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let cache = TokenCache::new(PLENTY, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { cache, entra, clock }
    }

    fn refusals(code: FindingCode, retry_after: Option<u64>) -> Self {
        let given = Self::tokens_that_live(HOUR);
        given.entra.refuses(code, retry_after);
        given
    }

    async fn asked(&self, key: TokenKey) -> String {
        let entra = Arc::clone(&self.entra);
        match self.cache.get_or_fetch(key, move || entra.answers()).await {
            Ok(token) => token.secret.expose_secret().to_owned(),
            Err(TokenRefusal { finding, retry_after: None }) => finding.code.to_string(),
            Err(TokenRefusal { finding, retry_after: Some(left) }) => format!("{} {left:?}", finding.code),
        }
    }

    async fn asked_by(&self, callers: usize, key: TokenKey) -> Vec<String> {
        join_all((0..callers).map(|_| self.asked(key.clone()))).await
    }

    fn after(&self, seconds: i64) -> &Self {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self
    }

    fn fetches(&self) -> usize {
        self.entra.fetches.load(Ordering::SeqCst)
    }
}

impl Entra {
    async fn answers(self: Arc<Self>) -> Result<AccessToken, TokenRefusal> {
        let n = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
        let refusal = self.refusal.lock().unwrap().clone();
        let expire_time = self.clock.now() + self.life;
        self.door.acquire().await.unwrap().forget();
        refusal.map_or_else(|| Ok(AccessToken { secret: format!("token {n}").into(), expire_time }), Err)
    }

    fn refuses(&self, code: FindingCode, retry_after: Option<u64>) {
        let finding = Box::new(Finding::new(code));
        let retry_after = retry_after.map(Duration::from_secs);
        *self.refusal.lock().unwrap() = Some(TokenRefusal { finding, retry_after });
    }

    fn relents(&self) {
        *self.refusal.lock().unwrap() = None;
    }

    fn holds_back(&self) {
        self.door.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn lets_go(&self) {
        self.door.add_permits(1_000);
    }
}

fn acme() -> TokenKey {
    TokenKey {
        reseller: reseller("acme"),
        cloud: Cloud::Global,
        directory: DirectoryId::parse("acme.example").unwrap(),
        client: ClientId::parse("11111111-2222-3333-4444-555555555555").unwrap(),
        fingerprint: Fingerprint::of_store("0123456789abcdef"),
    }
}

fn reseller(slug: &str) -> ResellerId {
    ResellerId::parse(slug).unwrap()
}

/// Lets all tasks come to where they wait.
async fn settled() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thousand_callers_share_one_fetch() {
    let given = Given::tokens_that_live(HOUR);
    given.entra.holds_back();
    let release = async {
        settled().await;
        given.entra.lets_go();
    };
    let (answers, ()) = tokio::join!(given.asked_by(1_000, acme()), release);
    assert_eq!(answers, vec!["token 1"; 1_000]);
    assert_eq!(given.fetches(), 1);
}

#[tokio::test]
async fn a_token_serves_until_five_minutes_before_its_end() {
    let given = Given::tokens_that_live(HOUR);
    assert_eq!(given.asked(acme()).await, "token 1");
    assert_eq!(given.after(3_300).asked(acme()).await, "token 2");
    assert_eq!(given.after(2_300).asked(acme()).await, "token 2", "nobody renews it so early");
    assert_eq!(given.fetches(), 2);
}

#[tokio::test]
async fn a_short_lived_token_serves_for_nine_tenths_of_its_life() {
    let given = Given::tokens_that_live(SignedDuration::from_secs(60));
    assert_eq!(given.asked(acme()).await, "token 1");
    assert_eq!(given.after(54).asked(acme()).await, "token 2");
    assert_eq!(given.fetches(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_in_the_background_once_for_all_who_ask() {
    let given = Given::tokens_that_live(HOUR);
    assert_eq!(given.asked(acme()).await, "token 1");
    given.after(3_061).entra.holds_back();
    assert_eq!(given.asked_by(1_000, acme()).await, vec!["token 1"; 1_000], "nobody waits for it");
    settled().await;
    assert_eq!(given.fetches(), 2);
    given.entra.lets_go();
    settled().await;
    assert_eq!(given.asked(acme()).await, "token 2");
    assert_eq!(given.fetches(), 2);
}

#[tokio::test]
async fn tokens_fetched_together_are_not_renewed_together() {
    const RESELLERS: usize = 1_000;
    let given = Given::tokens_that_live(HOUR);
    let key = |n: usize| TokenKey { reseller: reseller(&format!("r{n}")), ..acme() };
    for n in 0..RESELLERS {
        given.asked(key(n)).await;
    }
    let (mut renewed_before, mut most) = (RESELLERS, 0);
    for _ in 0..60 {
        given.after(60);
        for n in 0..RESELLERS {
            given.asked(key(n)).await;
        }
        settled().await;
        most = most.max(given.fetches() - renewed_before);
        renewed_before = given.fetches();
    }
    assert!(renewed_before >= 2 * RESELLERS, "each was renewed: {renewed_before} fetches");
    // The renewals of an hour lie within 12 minutes of it.
    assert!(most < RESELLERS / 6, "{most} of {RESELLERS} in one minute");
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_used_as_long_as_it_lives() {
    for code in [FindingCode::MicrosoftUnavailable, FindingCode::SecretExpired] {
        let given = Given::tokens_that_live(HOUR);
        assert_eq!(given.asked(acme()).await, "token 1");
        given.entra.refuses(code, None);
        for minutes in 0..59 {
            assert_eq!(given.asked(acme()).await, "token 1", "{code} after {minutes} min");
            settled().await;
            given.after(60);
        }
        assert!(given.fetches() > 2, "it was tried again: {}", given.fetches());
        assert_eq!(given.after(45).asked(acme()).await, code.to_string());
        given.entra.relents();
        let again = given.after(60).asked(acme()).await;
        assert!(again.starts_with("token"), "{again}");
    }
}

#[tokio::test]
async fn a_renewal_that_failed_is_not_tried_again_at_once() {
    let given = Given::tokens_that_live(HOUR);
    assert_eq!(given.asked(acme()).await, "token 1");
    given.after(3_061).entra.refuses(FindingCode::MicrosoftUnavailable, None);
    for _ in 0..100 {
        assert_eq!(given.asked(acme()).await, "token 1");
        settled().await;
    }
    assert_eq!(given.fetches(), 2);
    given.entra.relents();
    assert_eq!(given.after(15).asked(acme()).await, "token 1");
    settled().await;
    assert_eq!(given.asked(acme()).await, "token 3");
}

#[tokio::test]
async fn a_token_asked_for_late_is_used_though_its_renewal_fails() {
    let given = Given::tokens_that_live(HOUR);
    assert_eq!(given.asked(acme()).await, "token 1");
    given.entra.refuses(FindingCode::NetworkUnreachable, None);
    assert_eq!(given.after(3_500).asked(acme()).await, "token 1", "nobody asked when it was to be renewed");
    assert_eq!(given.after(70).asked(acme()).await, "NETWORK_UNREACHABLE");
}

#[tokio::test]
async fn a_token_that_is_over_when_it_comes_is_not_kept() {
    let given = Given::tokens_that_live(SignedDuration::from_secs(-1));
    assert_eq!(given.asked(acme()).await, "token 1");
    assert_eq!(given.asked(acme()).await, "token 2");
}

#[tokio::test]
async fn a_token_that_claims_to_live_for_ever_serves_for_less_than_a_day() {
    let given = Given::tokens_that_live(HOUR * 100_000);
    assert_eq!(given.asked(acme()).await, "token 1");
    assert_eq!(given.after(15 * 3_600).asked(acme()).await, "token 1");
    assert_eq!(given.after(9 * 3_600 - 300).asked(acme()).await, "token 2");
}

#[tokio::test]
async fn a_permanent_refusal_is_kept_until_a_probe_may_ask() {
    let given = Given::refusals(FindingCode::SecretWrong, None);
    assert_eq!(given.asked(acme()).await, "SECRET_WRONG");
    given.entra.relents();
    assert_eq!(given.after(59).asked(acme()).await, "SECRET_WRONG");
    assert_eq!(given.fetches(), 1);
    assert_eq!(given.after(1).asked(acme()).await, "token 2");
}

#[tokio::test]
async fn a_limit_is_kept_until_it_has_passed_and_tells_what_is_left_of_it() {
    let given = Given::refusals(FindingCode::Throttled, Some(300));
    assert_eq!(given.asked(acme()).await, "THROTTLED 300s");
    given.entra.relents();
    assert_eq!(given.after(100).asked(acme()).await, "THROTTLED 200s");
    assert_eq!(given.after(199).asked(acme()).await, "THROTTLED 1s");
    assert_eq!(given.fetches(), 1);
    assert_eq!(given.after(1).asked(acme()).await, "token 2");
}

#[tokio::test]
async fn an_absurd_limit_is_kept_and_breaks_nothing() {
    let given = Given::refusals(FindingCode::Throttled, Some(u64::MAX));
    assert!(given.asked(acme()).await.starts_with("THROTTLED"));
    assert!(given.after(365 * 24 * 3_600).asked(acme()).await.starts_with("THROTTLED"));
    assert_eq!(given.fetches(), 1);
}

#[tokio::test]
async fn an_outage_is_shared_by_those_who_waited_and_asked_anew_by_the_next() {
    let given = Given::refusals(FindingCode::MicrosoftUnavailable, None);
    given.entra.holds_back();
    let release = async {
        settled().await;
        given.entra.relents();
        given.entra.lets_go();
    };
    let (answers, ()) = tokio::join!(given.asked_by(20, acme()), release);
    assert_eq!(answers, vec!["MICROSOFT_UNAVAILABLE"; 20]);
    assert_eq!(given.fetches(), 1);
    assert_eq!(given.asked(acme()).await, "token 2");
}

#[tokio::test]
async fn keys_that_differ_in_anything_never_share() {
    let given = Given::tokens_that_live(HOUR);
    let others = [
        TokenKey { reseller: reseller("beta"), ..acme() },
        TokenKey { cloud: Cloud::China, ..acme() },
        TokenKey { directory: DirectoryId::parse("beta.example").unwrap(), ..acme() },
        TokenKey { client: ClientId::parse("99999999-2222-3333-4444-555555555555").unwrap(), ..acme() },
        TokenKey { fingerprint: Fingerprint::of_store("fedcba9876543210"), ..acme() },
    ];
    assert_eq!(given.asked(acme()).await, "token 1");
    for (key, n) in others.iter().zip(2..) {
        assert_eq!(given.asked(key.clone()).await, format!("token {n}"), "{key:?}");
    }
    assert_eq!(given.asked(acme()).await, "token 1");
}

#[tokio::test]
async fn one_key_waits_for_no_other() {
    let given = Given::tokens_that_live(HOUR);
    let beta = TokenKey { reseller: reseller("beta"), ..acme() };
    assert_eq!(given.asked(beta.clone()).await, "token 1");
    given.entra.holds_back();
    let (answer, ()) = tokio::join!(given.asked(acme()), async {
        settled().await;
        assert_eq!(given.asked(beta.clone()).await, "token 1");
        given.entra.lets_go();
    });
    assert_eq!(answer, "token 2");
}

#[tokio::test]
async fn a_forgotten_token_is_fetched_anew_and_others_stay() {
    let given = Given::tokens_that_live(HOUR);
    let beta = TokenKey { reseller: reseller("beta"), ..acme() };
    assert_eq!(given.asked(acme()).await, "token 1");
    assert_eq!(given.asked(beta.clone()).await, "token 2");
    given.cache.forget(&acme()).await;
    assert_eq!(given.asked(acme()).await, "token 3");
    assert_eq!(given.asked(beta.clone()).await, "token 2");
}

#[tokio::test]
async fn a_forgotten_reseller_loses_tokens_and_refusals_under_every_key_and_others_none() {
    let given = Given::tokens_that_live(HOUR);
    let refused = TokenKey { fingerprint: Fingerprint::of_store("fedcba9876543210"), ..acme() };
    let beta = TokenKey { reseller: reseller("beta"), ..acme() };
    assert_eq!(given.asked(acme()).await, "token 1");
    assert_eq!(given.asked(beta.clone()).await, "token 2");
    given.entra.refuses(FindingCode::SecretWrong, None);
    assert_eq!(given.asked(refused.clone()).await, "SECRET_WRONG");
    given.entra.relents();
    given.cache.forget_reseller(&reseller("acme"));
    assert_eq!(given.asked(acme()).await, "token 4");
    assert_eq!(given.asked(refused.clone()).await, "token 5");
    assert_eq!(given.asked(beta.clone()).await, "token 2");
}

#[tokio::test]
async fn a_fetch_from_before_a_reseller_was_forgotten_answers_nobody_who_comes_after() {
    let given = Given::refusals(FindingCode::ConsentMissing, None);
    given.entra.holds_back();
    let consent_comes_while_one_asks = async {
        settled().await;
        given.entra.relents();
        given.cache.forget_reseller(&reseller("acme"));
        let after = given.asked(acme());
        let release = async {
            settled().await;
            given.entra.lets_go();
        };
        tokio::join!(after, release).0
    };
    let (before, after) = tokio::join!(given.asked(acme()), consent_comes_while_one_asks);
    assert_eq!(before, "CONSENT_MISSING");
    assert_eq!(after, "token 2");
    assert_eq!(given.asked(acme()).await, "token 2");
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_no_fetch() {
    let given = Given::tokens_that_live(HOUR);
    given.entra.holds_back();
    tokio::select! {
        biased;
        answer = given.asked(acme()) => panic!("{answer} came through a closed door"),
        () = settled() => {}
    }
    let release = async {
        settled().await;
        given.entra.lets_go();
    };
    let (answers, ()) = tokio::join!(given.asked_by(3, acme()), release);
    assert_eq!(answers, ["token 1"; 3]);
    assert_eq!(given.fetches(), 1);
}

#[tokio::test]
async fn a_fetch_that_panics_fails_its_caller_and_blocks_no_other() {
    let given = Given::tokens_that_live(HOUR);
    let cache = given.cache.clone();
    let fails = || async { panic!("a fault in the fetch") };
    let failed = tokio::spawn(async move { cache.get_or_fetch(acme(), fails).await }).await;
    assert!(failed.is_err_and(|ended| ended.is_panic()));
    assert_eq!(given.asked(acme()).await, "token 1");
}

#[tokio::test]
async fn memory_is_bounded_and_a_newcomer_displaces_what_was_asked_for_often() {
    const ROOM_FOR_FOUR: u64 = 4 * 1_100;
    let given = Given::tokens_that_live(HOUR);
    let small = TokenCache::new(ROOM_FOR_FOUR, Arc::clone(&given.clock) as Arc<dyn Clock>);
    let given = Given { cache: small, ..given };
    for n in 0..20 {
        let key = TokenKey { reseller: reseller(&format!("r{n}")), ..acme() };
        let first = given.asked(key.clone()).await;
        for _ in 0..10 {
            given.cache.entries.run_pending_tasks().await;
            assert_eq!(given.asked(key.clone()).await, first);
        }
        assert!(given.cache.entries.weighted_size() <= ROOM_FOR_FOUR);
    }
    assert_eq!(given.fetches(), 20);
}

#[test]
fn debug_shows_no_token() {
    let given = Given::tokens_that_live(HOUR);
    assert_eq!(format!("{:?}", given.cache), "TokenCache { .. }");
}
