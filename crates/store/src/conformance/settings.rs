//! Settings: etags, holds, the lane that goes with them, and what they have used.

use postrider_domain::{
    CredentialKind, DirectoryId, Finding, FindingCode, Fingerprint, MessageState, Outcome, ResellerId,
    Resolution, SettingsState, SettingsStatus, Usage, Verdict,
};

use super::{World, at, doubt, held_by, hold, secret_wrong, sent, token};
use crate::{Deleted, MessageFilter, NewMessage, NewSettings, Put, SealedRecord, SettingsFilter};

pub async fn settings_read_back_as_they_were_put(world: &World) {
    let acme = World::slug("acme");
    assert_eq!(world.store.get_settings(&acme).await.expect("an answer"), None);
    let finding = Finding::new(FindingCode::SecretIsId).with("length", 36);
    let new = NewSettings { finding: Some(finding.clone()), ..world.new_settings(&acme) };
    let saved = world.put(new.clone()).await;
    assert_eq!((&saved.values, &saved.credential), (&new.values, &new.credential));
    assert_eq!(saved.status, SettingsStatus { state: SettingsState::Untested, finding: Some(finding) });
    assert_eq!((saved.reseller.clone(), saved.update_time), (acme.clone(), at(0)));
    assert_eq!(world.settings(&acme).await, saved);
}

pub async fn an_old_etag_puts_and_deletes_nothing(world: &World) {
    let acme = World::slug("acme");
    let expecting = |etag| NewSettings { expected: Some(etag), ..world.new_settings(&acme) };
    let first = world.put(world.new_settings(&acme)).await;
    let second = world.put(expecting(first.etag.clone())).await;
    assert_ne!(first.etag, second.etag);
    let stale = world.store.put_settings(expecting(first.etag.clone())).await.expect("an answer");
    assert_eq!(stale, Put::EtagMismatch);
    let deleted = world.store.delete_settings(&acme, Some(&first.etag), true, at(0)).await;
    assert_eq!(deleted.expect("an answer"), Deleted::EtagMismatch);
    assert_eq!(world.settings(&acme).await, second);
    let nobody = NewSettings { expected: Some(first.etag), ..world.new_settings(&World::slug("nobody")) };
    assert_eq!(world.store.put_settings(nobody).await.expect("an answer"), Put::EtagMismatch);
}

pub async fn a_federated_source_belongs_to_one_reseller(world: &World) {
    let federated = |slug: &str, fingerprint: &str, kind| {
        let mut new = world.new_settings(&World::slug(slug));
        new.credential.kind = kind;
        new.credential.fingerprint = Fingerprint::of_store(fingerprint);
        new.values.directory =
            DirectoryId::parse("11111111-2222-4333-8444-555555555555").expect("a directory");
        new
    };
    let ours = federated("acme", "k8s", CredentialKind::Federated);
    world.put(ours.clone()).await;
    world.put(ours).await;
    let put = async |new| world.store.put_settings(new).await.expect("an answer");
    let theirs = federated("beta", "k8s", CredentialKind::Federated);
    let is_taken = async |by: &str| {
        let (values, source) = (&theirs.values, &theirs.credential.fingerprint);
        world.store.is_source_taken(&World::slug(by), values, source).await.expect("an answer")
    };
    assert!(is_taken("beta").await && !is_taken("acme").await);
    assert_eq!(put(theirs.clone()).await, Put::SourceTaken);
    assert_eq!(world.store.get_settings(&World::slug("beta")).await.expect("an answer"), None);
    let in_directory = |name: &str| {
        let mut new = theirs.clone();
        new.values.directory = DirectoryId::parse(name).expect("a directory");
        new
    };
    // It may be another name of the same directory.
    assert_eq!(put(in_directory("beta.example")).await, Put::SourceTaken);
    let elsewhere = in_directory("99999999-8888-4777-8666-555555555555");
    let others = [
        elsewhere,
        federated("beta", "other", CredentialKind::Federated),
        federated("beta", "k8s", CredentialKind::ClientSecret),
    ];
    for other in others {
        assert!(matches!(put(other).await, Put::Saved(_)));
    }
    let deleted = world.store.delete_settings(&World::slug("acme"), None, true, at(0)).await;
    assert_eq!(deleted.expect("an answer"), Deleted::Done);
    assert!(matches!(put(theirs).await, Put::Saved(_)));
}

pub async fn an_etag_never_comes_twice(world: &World) {
    let acme = World::slug("acme");
    let first = world.put(world.new_settings(&acme)).await;
    let deleted = world.store.delete_settings(&acme, Some(&first.etag), false, at(0)).await;
    assert_eq!(deleted.expect("an answer"), Deleted::Done);
    let missing = world.store.delete_settings(&acme, Some(&first.etag), false, at(0)).await;
    assert_eq!(missing.expect("an answer"), Deleted::Missing);
    assert_ne!(world.put(world.new_settings(&acme)).await.etag, first.etag);
}

pub async fn a_put_frees_a_lane_that_broken_settings_held(world: &World) {
    let (acme, id) = world.held_lane("acme", 600).await;
    world.advance(1);
    world.put(world.new_settings(&acme)).await;
    assert!(world.is_due(&acme).await);
    assert_eq!(world.state(&acme, id).await, MessageState::Deferred);
    let status = world.settings(&acme).await.status;
    assert_eq!(status, SettingsStatus { state: SettingsState::Untested, finding: None });
    assert_eq!(world.leased(&acme, token(1)).await.hold, None);
}

pub async fn a_put_does_not_end_an_operators_pause(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    assert!(world.store.pause(&acme, "unpaid").await.expect("paused"));
    let saved = world.put(world.new_settings(&acme)).await;
    let code = saved.status.finding.map(|finding| finding.code);
    assert_eq!((saved.status.state, code), (SettingsState::Paused, Some(FindingCode::SendingPaused)));
    world.store.settings_work(&acme, &saved.etag).await.expect("an answer");
    assert_eq!(world.state(&acme, id).await, MessageState::Held);
    assert!(!world.is_due(&acme).await);
}

pub async fn a_put_gives_the_lane_its_new_mailbox(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    world.store.release(&acme, token(1), Some(at(50))).await.expect("released");
    let mut new = world.new_settings(&acme);
    new.values.mailbox = World::mailbox("office");
    world.put(new).await;
    let lease = world.leased(&acme, token(2)).await;
    assert_eq!(lease.lane.mailbox, World::mailbox("office"));
}

pub async fn a_mailbox_is_one_however_it_is_spelled(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    let throttled = Verdict::of(Outcome::Deferred, Finding::new(FindingCode::Throttled));
    world.tries(&acme, id, 1, (throttled, Resolution::LaneWaits { until: at(50) })).await;
    let mut new = world.new_settings(&acme);
    new.values.mailbox = World::mailbox("SALES");
    let saved = world.put(new).await;
    assert_eq!(saved.values.mailbox, World::mailbox("SALES"), "told as it was given");
    assert!(!world.is_due(&acme).await, "what it was asked to wait for still binds it");
    world.advance(50);
    assert_eq!(world.leased(&acme, token(2)).await.lane.mailbox, World::mailbox("sales"));
}

pub async fn a_passed_test_makes_settings_ready_unless_they_changed(world: &World) {
    let (acme, _) = world.held_lane("acme", 600).await;
    let tested = world.settings(&acme).await;
    let ready = SettingsStatus { state: SettingsState::Ready, finding: None };
    world.store.settings_work(&acme, &tested.etag).await.expect("an answer");
    assert_eq!(world.settings(&acme).await.status, ready);
    assert!(world.is_due(&acme).await);
    let newer = NewSettings { finding: Some(secret_wrong()), ..world.new_settings(&acme) };
    let newer = world.put(newer).await;
    world.store.settings_work(&acme, &tested.etag).await.expect("an answer");
    assert_eq!(world.settings(&acme).await.status, newer.status);
    world.store.settings_work(&acme, &newer.etag).await.expect("an answer");
    assert_eq!(world.settings(&acme).await.status, ready);
}

pub async fn usage_counts_what_waits_and_what_was_sent_within_a_day(world: &World) {
    let acme = world.reseller("acme").await;
    let mail = |recipient_count| NewMessage { recipient_count, content: vec![7; 100], ..world.mail(&acme) };
    let queued = Usage { queued_messages: 2, queued_bytes: 200, ..Usage::default() };
    let first = world.accepts(mail(3)).await.id;
    world.tries(&acme, first, 1, sent()).await;
    world.advance(3_600);
    let second = world.accepts(mail(5)).await.id;
    world.tries(&acme, second, 1, sent()).await;
    let third = world.accepts(mail(7)).await.id;
    world.accepts(mail(7)).await;
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), third, 1).await);
    let usage = |second| world.store.usage(&acme, at(second));
    let now = usage(3_600).await.expect("usage");
    assert_eq!(now, Usage { recipients_last_day: 15, ..queued }, "calls in flight count");
    world.ends(&acme, third, 1, held_by(hold(90_000))).await;
    let not_taken = usage(3_600).await.expect("usage");
    assert_eq!(not_taken, Usage { recipients_last_day: 8, ..queued });
    assert_eq!(usage(25 * 3_600).await.expect("usage").recipients_last_day, 5, "by whole hours");
    assert_eq!(usage(26 * 3_600).await.expect("usage").recipients_last_day, 0);
}

pub async fn lists_go_by_slug_and_filter(world: &World) {
    for name in ["gamma", "acme", "beta"] {
        world.reseller(name).await;
    }
    let (held, _) = world.held_lane("held", 600).await;
    let beta = world.settings(&World::slug("beta")).await;
    world.store.settings_work(&beta.reseller, &beta.etag).await.expect("an answer");
    let list = |filter: SettingsFilter| async move {
        let page = world.store.list_settings(SettingsFilter { limit: 2, ..filter }).await.expect("a page");
        let names: Vec<_> = page.settings.iter().map(|settings| settings.reseller.to_string()).collect();
        (names.join(" "), page.more)
    };
    let all = SettingsFilter::default;
    assert_eq!(list(all()).await, ("acme beta".into(), true));
    let after = Some(World::slug("beta"));
    assert_eq!(list(SettingsFilter { after, ..all() }).await, ("gamma held".into(), false));
    for (state, names) in [
        (SettingsState::Paused, "held"),
        (SettingsState::Ready, "beta"),
        (SettingsState::Untested, "acme gamma"),
    ] {
        assert_eq!(list(SettingsFilter { state: Some(state), ..all() }).await, (names.into(), false));
    }
    let resellers = Some(vec![held, World::slug("nobody")]);
    assert_eq!(list(SettingsFilter { resellers, ..all() }).await, ("held".into(), false));
    let expiring_before = |second| SettingsFilter { expiring_before: Some(at(second)), ..all() };
    assert_eq!(list(expiring_before(1_000_000)).await.0, "");
    assert_eq!(list(expiring_before(1_000_001)).await.0, "acme beta");
}

async fn delete(world: &World, reseller: &ResellerId, cancel_unfinished: bool) -> Deleted {
    world.store.delete_settings(reseller, None, cancel_unfinished, world.now()).await.expect("an answer")
}

pub async fn settings_with_unfinished_messages_are_not_deleted_unasked(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    world.accepts(NewMessage { send_time: Some(at(50)), ..world.mail(&acme) }).await;
    assert_eq!(delete(world, &acme, false).await, Deleted::Unfinished(2));
    assert!(world.is_due(&acme).await);
}

pub async fn a_deletion_cancels_what_waits_and_keeps_the_history(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let (waiting, others) = (world.accepted(&acme).await, world.accepted(&beta).await);
    let record = SealedRecord { version: "v1".into(), ciphertext: vec![7], create_time: world.now() };
    world.store.put_sealed(&acme, record).await.expect("put");
    assert_eq!(delete(world, &acme, true).await, Deleted::Done);
    assert_eq!(world.store.get_settings(&acme).await.expect("an answer"), None);
    assert_eq!(world.state(&acme, waiting).await, MessageState::Cancelled);
    assert!(!world.has_content(&acme, waiting).await);
    assert_eq!(world.store.get_sealed(&acme, "v1").await.expect("an answer"), None);
    assert!(!world.is_due(&acme).await);
    let all = MessageFilter { limit: 10, ..Default::default() };
    assert_eq!(world.store.list_messages(&acme, all).await.expect("a page").messages.len(), 1);
    assert_eq!(world.state(&beta, others).await, MessageState::Accepted);
    assert!(world.has_content(&beta, others).await && world.is_due(&beta).await);
}

pub async fn nothing_in_flight_is_cancelled(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), id, 1).await);
    assert_eq!(delete(world, &acme, true).await, Deleted::InFlight(1));
    assert_eq!(delete(world, &acme, false).await, Deleted::Unfinished(2));
    assert_eq!(world.state(&acme, id).await, MessageState::Sending);
}

pub async fn a_deletion_ends_what_is_in_doubt_as_unknown(world: &World) {
    let acme = world.reseller("acme").await;
    let (doubted, waiting) = (world.accepted(&acme).await, world.accepted(&acme).await);
    world.tries(&acme, doubted, 1, doubt(Resolution::Again { at: at(15), counts: true })).await;
    assert_eq!(delete(world, &acme, false).await, Deleted::Unfinished(2));
    assert_eq!(world.state(&acme, doubted).await, MessageState::Deferred);
    world.advance(3);
    assert_eq!(delete(world, &acme, true).await, Deleted::Done);
    let message = world.message(&acme, doubted).await;
    assert_eq!((message.state, message.update_time), (MessageState::OutcomeUnknown, at(3)));
    assert_eq!(message.finding.map(|finding| finding.code), Some(FindingCode::OutcomeUnknown));
    assert_eq!(world.state(&acme, waiting).await, MessageState::Cancelled);
    assert!(!world.has_content(&acme, doubted).await && !world.has_content(&acme, waiting).await);
    world.ends(&acme, doubted, 1, sent()).await;
    assert_eq!(world.state(&acme, doubted).await, MessageState::Sent, "a late 202 still lifts it");
}
