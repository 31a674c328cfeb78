//! Reads of the rows in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    AuditEvent, Bug, Content, Lane, Message, MessageId, MessageState, Queued, RequestId, ResellerId,
    Settings, SettingsState, SettingsStatus, Usage, limits, planted,
};

use super::tables::Tables;
use super::{Fate, Shared};
use crate::book::{AttemptKey, LaneRow, MessageKey, MessageRow, RequestKey};
use crate::census::{Backlog, FirstExpiry, LaneState};
use crate::reads::{DueLane, OldEvent, PassOver, Read, Reads, long_before};
use crate::seen::Outlook;
use crate::watch::{Change, Event, KeptEvents, Position, Waited};
use crate::{
    AccessKey, AuditFilter, AuditPage, AuditPlace, ContentHash, KeyId, MessageFilter, MessagePage, Queue,
    SealedRecord, SettingsFilter, SettingsPage, WrappedKey, etag,
};

pub(crate) struct MemoryReads {
    pub(super) shared: Arc<Shared>,
    pub(super) fate: Arc<dyn Fate>,
}

impl MemoryReads {
    async fn read<T>(&self, read: impl FnOnce(&Tables) -> T + Send) -> Read<T> {
        self.fate.of_read().await?;
        Ok(read(&self.shared.tables()))
    }
}

fn first<T>(limit: u32, all: impl Iterator<Item = T>) -> Vec<T> {
    all.take(limit as usize).collect()
}

fn lane_state(lane: &LaneRow, now: Timestamp) -> LaneState {
    if lane.pause.is_some() {
        LaneState::Paused
    } else if lane.hold.is_some() {
        LaneState::Held
    } else if lane.wait_until.max(lane.paced.map(|paced| paced.until)).is_some_and(|until| until > now) {
        LaneState::Throttled
    } else if lane.lease.is_some_and(|lease| lease.until > now) {
        LaneState::Busy
    } else {
        LaneState::Ready
    }
}

impl Tables {
    fn lane(&self, reseller: &ResellerId) -> Option<&LaneRow> {
        self.resellers.get(reseller)?.lane.as_ref()
    }

    fn message(&self, key: &MessageKey, outlook: Outlook) -> Option<Message> {
        let row = self.messages.get(key)?;
        let lane = self.lane(&key.0);
        let lowered = lane.and_then(|lane| lane.pace.messages_per_minute);
        let lane = lane.map(LaneRow::seen).unwrap_or_default();
        let lane = lane.behind(self.ahead(key, row, outlook.now), lowered, outlook);
        let seen = lane.shows(row.state, row.due_time, row.finding.as_ref(), outlook.now);
        let mut message = self.stored(key)?;
        (message.state, message.next_attempt_time, message.finding) =
            (seen.state, seen.next_attempt_time, seen.finding);
        Some(message)
    }

    /// Messages that go before it.
    fn ahead(&self, key: &MessageKey, row: &MessageRow, now: Timestamp) -> u32 {
        let place = |id, row: &MessageRow| (row.priority, row.due_time, id);
        let before = self.waiting_of(&key.0).filter(|((_, id), other)| {
            other.due_time <= row.due_time.max(now) && place(*id, other) < place(key.1, row)
        });
        u32::try_from(before.take(limits::PLACES_COUNTED as usize).count()).unwrap_or(u32::MAX)
    }

    fn stored(&self, key: &MessageKey) -> Option<Message> {
        let (row, new) = (self.messages.get(key)?, self.accepted.get(key)?);
        let number = |number| (key.0.clone(), key.1, number);
        let attempts = self.attempts.range(number(0)..=number(u32::MAX));
        Some(Message {
            reseller: key.0.clone(),
            id: key.1,
            request_id: new.request_id.clone(),
            state: row.state,
            internet_message_id: new.internet_message_id.clone(),
            create_time: new.create_time,
            update_time: row.update_time,
            send_time: new.send_time,
            expire_time: row.expire_time,
            next_attempt_time: None,
            attempts: attempts.map(|((.., number), row)| row.clone().shown(*number)).collect(),
            finding: row.finding.clone(),
            subject: new.subject.clone(),
            recipient_count: new.recipient_count,
            labels: new.labels.clone(),
        })
    }

    fn settings(&self, reseller: &ResellerId) -> Option<Settings> {
        let (new, revision) = self.settings.get(reseller)?;
        let lane = self.lane(reseller)?;
        let status = match lane.stop() {
            Some(stop) => SettingsStatus { state: SettingsState::Paused, finding: Some(stop) },
            None => SettingsStatus {
                state: if lane.works { SettingsState::Ready } else { SettingsState::Untested },
                finding: lane.finding.clone(),
            },
        };
        Some(Settings {
            reseller: reseller.clone(),
            values: new.values.clone(),
            credential: new.credential.clone(),
            status,
            etag: etag(*revision),
            update_time: new.now,
        })
    }

    fn event(&self, position: i64) -> Option<Event> {
        let (reseller, row) = self.events.get(&position)?;
        let change = match row.message {
            None => Change::Lane { state: row.state, finding: row.finding.clone() },
            Some(id) => Change::Message(self.stored(&(reseller.clone(), id)).map(|mut message| {
                message.attempts.retain(|attempt| attempt.number.0 <= row.attempts);
                if row.in_flight
                    && let Some(last) = message.attempts.last_mut()
                {
                    (last.end_time, last.outcome) = (None, None);
                    (last.finding, last.graph_request_id) = (None, None);
                }
                (message.state, message.update_time) = (row.state, row.time);
                (message.next_attempt_time, message.finding) = (row.next_attempt_time, row.finding.clone());
                Box::new(message)
            })),
        };
        let (number, time) = (row.number, row.time);
        Some(Event { reseller: reseller.clone(), number, order: position, time, change })
    }

    /// As `read/waited.sql`.
    fn waited(&self, of_lane: &Event) -> BTreeMap<MessageId, Waited> {
        let Event { reseller, number, .. } = of_lane;
        let not_before = self.lane(reseller).and_then(|lane| lane.seen().not_before);
        let still = self.messages_of(reseller).filter(|(_, row)| {
            matches!(row.state, MessageState::Accepted | MessageState::Deferred) && row.last_event < *number
        });
        let still = still.map(|((_, id), row)| {
            let next_attempt_time = Some(row.due_time).max(not_before);
            (*id, Waited { state: row.state, attempts: row.attempts, next_attempt_time })
        });
        let later = self.events.values().filter(|(owner, row)| owner == reseller && row.number > *number);
        let until_later = later.filter_map(|(_, row)| {
            let waited = row.waited.filter(|waited| waited.since < *number)?;
            let attempts = row.attempts - u32::from(row.state == MessageState::Sending);
            Some((row.message?, Waited { state: waited.state, attempts, next_attempt_time: None }))
        });
        still.chain(until_later).collect()
    }

    /// The first first, by when they may be leased.
    fn due_lanes<'t>(
        &'t self,
        pass_over: &'t PassOver,
    ) -> impl Iterator<Item = (Timestamp, &'t ResellerId, &'t LaneRow)> {
        let lanes = self.due.iter().filter_map(|(time, id)| Some((*time, id, self.lane(id)?)));
        lanes.filter(|(_, id, lane)| {
            let is_passed_over = pass_over.resellers.iter().any(|slug| slug == id.as_str());
            !is_passed_over && !pass_over.clouds.contains(&lane.cloud)
        })
    }
}

#[async_trait]
impl Reads for MemoryReads {
    async fn message(&self, reseller: &ResellerId, id: MessageId, outlook: Outlook) -> Read<Option<Message>> {
        self.read(|tables| tables.message(&(reseller.clone(), id), outlook)).await
    }

    async fn messages(
        &self,
        reseller: &ResellerId,
        filter: MessageFilter,
        outlook: Outlook,
    ) -> Read<MessagePage> {
        self.read(|tables| {
            let own = tables.messages_of(reseller).rev().map(|(key, _)| key);
            let own = own.filter(|(_, id)| filter.before.is_none_or(|before| *id < before));
            let seen = own.filter_map(|key| tables.message(key, outlook));
            let wanted = seen.filter(|message| {
                (filter.states.is_empty() || filter.states.contains(&message.state))
                    && filter.labels.iter().all(|(key, value)| message.labels.get(key) == Some(value))
            });
            let mut messages = first(filter.limit + 1, wanted);
            let more = messages.len() > filter.limit as usize;
            messages.truncate(filter.limit as usize);
            MessagePage { messages, more }
        })
        .await
    }

    async fn content(&self, reseller: &ResellerId, id: MessageId) -> Read<Option<Content>> {
        self.read(|tables| {
            let key = (reseller.clone(), id);
            let own = || tables.contents.get(&key);
            let first =
                || tables.contents.iter().find(|((owner, _), _)| owner == reseller).map(|(_, body)| body);
            let body = if planted(Bug::ContentOfAnother) { first() } else { own() }?;
            let new = tables.accepted.get(&key)?;
            Some(Content {
                body: body.clone().into(),
                internet_message_id: new.internet_message_id.clone(),
                create_time: new.create_time,
            })
        })
        .await
    }

    async fn request_key(
        &self,
        reseller: &ResellerId,
        id: &RequestId,
    ) -> Read<Option<(MessageId, ContentHash)>> {
        let key = (reseller.clone(), id.clone());
        self.read(|tables| tables.request_keys.get(&key).map(|(row, _)| (row.message, row.content_hash)))
            .await
    }

    async fn due_lanes(&self, now: Timestamp, limit: u32, pass_over: PassOver) -> Read<Vec<DueLane>> {
        self.read(|tables| {
            let mut due: Vec<_> =
                tables.due_lanes(&pass_over).take_while(|(ready, ..)| *ready <= now).collect();
            due.sort_by_key(|(_, reseller, lane)| (lane.due_time, *reseller));
            let lane = |(_, reseller, lane): (Timestamp, &ResellerId, &LaneRow)| {
                Ok(Lane { reseller: reseller.clone(), mailbox: lane.mailbox.clone() })
            };
            first(limit, due.into_iter().map(lane))
        })
        .await
    }

    async fn next_due(&self, pass_over: PassOver) -> Read<Option<Timestamp>> {
        self.read(|tables| tables.due_lanes(&pass_over).next().map(|(ready, ..)| ready)).await
    }

    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
        content_below: u32,
    ) -> Read<Vec<Queued>> {
        self.read(|tables| {
            let waits =
                |lane: &LaneRow| lane.pause.is_some() || lane.wait_until.is_some_and(|until| until > now);
            if tables.lane(reseller).is_some_and(waits) {
                return Vec::new();
            }
            let due = tables.waiting_of(reseller).filter(|(_, row)| row.due_time <= now);
            let due = due.map(|((_, id), row)| row.queued(*id));
            let mut due: Vec<_> = due.filter(|queued| queued.content_bytes < content_below).collect();
            due.sort_by_key(|queued| (queued.priority, queued.due_time, queued.id));
            let of = |priority| due.iter().filter(move |queued| queued.priority == priority);
            let each = postrider_domain::Priority::ALL.into_iter();
            each.flat_map(|priority| first(limit, of(priority).cloned())).collect()
        })
        .await
    }

    async fn settings(&self, reseller: &ResellerId) -> Read<Option<Settings>> {
        self.read(|tables| tables.settings(reseller)).await
    }

    async fn settings_page(&self, filter: SettingsFilter) -> Read<SettingsPage> {
        self.read(|tables| {
            let all = tables.settings.keys().filter_map(|reseller| tables.settings(reseller));
            let wanted = all.filter(|one| {
                filter.after.as_ref().is_none_or(|after| one.reseller > *after)
                    && filter.state.is_none_or(|state| one.status.state == state)
                    && filter.resellers.as_ref().is_none_or(|own| own.contains(&one.reseller))
                    && filter
                        .expiring_before
                        .is_none_or(|end| one.credential.expire_time.is_some_and(|expiry| expiry < end))
            });
            let mut settings = first(filter.limit + 1, wanted);
            let more = settings.len() > filter.limit as usize;
            settings.truncate(filter.limit as usize);
            SettingsPage { settings, more }
        })
        .await
    }

    async fn usage(&self, reseller: &ResellerId, first_hour: i64) -> Read<Usage> {
        self.read(|tables| {
            let own = tables.hours.get(reseller).into_iter().flatten();
            let counts = own.filter(|((_, _, hour), _)| *hour >= first_hour);
            let recipients = counts.map(|(_, recipients)| *recipients).sum::<i64>();
            let row = tables.resellers.get(reseller);
            Usage {
                queued_messages: row.map_or(0, |row| u32::try_from(row.queued_messages).unwrap_or(0)),
                queued_bytes: row.map_or(0, |row| u64::try_from(row.queued_bytes).unwrap_or(0)),
                recipients_last_day: u32::try_from(recipients).unwrap_or(0),
            }
        })
        .await
    }

    async fn access_key(&self, id: &KeyId) -> Read<Option<AccessKey>> {
        self.read(|tables| tables.access_keys.get(id).cloned()).await
    }

    async fn access_keys(&self) -> Read<Vec<AccessKey>> {
        self.read(|tables| {
            let mut keys: Vec<_> = tables.access_keys.values().cloned().collect();
            keys.sort_by(|a, b| (a.create_time, &a.id).cmp(&(b.create_time, &b.id)));
            keys
        })
        .await
    }

    async fn data_key(&self, reseller: &ResellerId) -> Read<Option<WrappedKey>> {
        self.read(|tables| tables.resellers.get(reseller).and_then(|row| row.data_key.clone())).await
    }

    async fn data_keys(&self, after: &str, limit: u32) -> Read<Vec<(ResellerId, WrappedKey)>> {
        self.read(|tables| {
            let keys = tables.resellers.iter().filter(|(id, _)| id.as_str() > after);
            first(limit, keys.filter_map(|(id, row)| Some((id.clone(), row.data_key.clone()?))))
        })
        .await
    }

    async fn audit_events(&self, filter: AuditFilter) -> Read<AuditPage> {
        self.read(|tables| {
            let is_wanted = |event: &&AuditEvent| {
                let reseller = event.reseller.as_ref();
                let is_of = |own: &Vec<ResellerId>| reseller.is_some_and(|of| own.contains(of));
                filter.resellers.as_ref().is_none_or(is_of)
                    && event.time >= filter.since
                    && AuditPlace::of(event) < filter.before
            };
            let mut events: Vec<_> = tables.audit.iter().filter(is_wanted).cloned().collect();
            events.sort_by_key(|event| std::cmp::Reverse(AuditPlace::of(event)));
            let more = events.len() > filter.limit as usize;
            events.truncate(filter.limit as usize);
            AuditPage { events, more }
        })
        .await
    }

    async fn any_access_key(&self) -> Read<bool> {
        self.read(|tables| !tables.access_keys.is_empty()).await
    }

    async fn sealed(&self, reseller: &ResellerId, version: &str) -> Read<Option<SealedRecord>> {
        self.read(|tables| tables.sealed.get(&(reseller.clone(), version.to_owned())).cloned()).await
    }

    async fn sealed_page(&self, after: (&str, &str), limit: u32) -> Read<Vec<(ResellerId, SealedRecord)>> {
        self.read(|tables| {
            let all = tables.sealed.iter().map(|((reseller, _), record)| (reseller.clone(), record.clone()));
            first(
                limit,
                all.filter(|(reseller, record)| (reseller.as_str(), record.version.as_str()) > after),
            )
        })
        .await
    }

    async fn key_ring(&self) -> Read<Option<String>> {
        self.read(|tables| tables.meta.get("key_ring").cloned()).await
    }

    async fn due_changes(&self, before: Timestamp, limit: u32) -> Read<Vec<(ResellerId, Timestamp)>> {
        self.read(|tables| {
            let first_of = |(reseller, changes): (&ResellerId, &BTreeMap<String, Timestamp>)| {
                let (first, last) = (*changes.values().min()?, *changes.values().max()?);
                (last < before || first < long_before(before)).then(|| (reseller.clone(), first))
            };
            let mut due: Vec<_> = tables.changes.iter().filter_map(first_of).collect();
            due.sort_by_key(|(_, time)| *time);
            first(limit, due.into_iter())
        })
        .await
    }

    async fn events(&self, reseller: &ResellerId, after: i64, limit: u32) -> Read<Vec<Event>> {
        self.read(|tables| {
            let own =
                tables.events.iter().filter(|(_, (owner, row))| owner == reseller && row.number > after);
            first(limit, own.filter_map(|(position, _)| tables.event(*position)))
        })
        .await
    }

    async fn all_events(&self, after: &Position, limit: u32) -> Read<Vec<Event>> {
        let order = after.order;
        self.read(|tables| {
            let after = tables.events.range(order + 1..);
            first(limit, after.filter_map(|(position, _)| tables.event(*position)))
        })
        .await
    }

    async fn kept_events(&self, reseller: &ResellerId) -> Read<KeptEvents> {
        self.read(|tables| {
            let own = tables.events.values().filter(|(owner, _)| owner == reseller);
            KeptEvents {
                first: own.map(|(_, row)| row.number).min(),
                last: tables.resellers.get(reseller).map_or(0, |row| row.last_event),
            }
        })
        .await
    }

    async fn last_position(&self) -> Read<i64> {
        self.read(|tables| tables.last_position).await
    }

    async fn purged_position(&self) -> Read<i64> {
        self.read(|tables| tables.events_purged).await
    }

    async fn epoch(&self) -> Read<Option<String>> {
        self.read(|tables| tables.meta.get("epoch").cloned()).await
    }

    async fn waited(&self, of_lane: &Event, after: Option<MessageId>, limit: u32) -> Read<Vec<Message>> {
        self.read(|tables| {
            let waited = tables.waited(of_lane).into_iter();
            let waited = waited.filter(|(id, _)| after.is_none_or(|after| *id > after));
            let told = waited.filter_map(|(id, waited)| {
                let message = tables.stored(&(of_lane.reseller.clone(), id))?;
                Some(of_lane.tells_of(message, waited))
            });
            first(limit, told)
        })
        .await
    }

    async fn queued(&self) -> Read<Queue> {
        self.read(|tables| Queue {
            messages: tables.resellers.values().map(|row| row.queued_messages).sum(),
            bytes: tables.resellers.values().map(|row| row.queued_bytes).sum(),
        })
        .await
    }

    async fn backlog(&self, by_reseller: bool, now: Timestamp) -> Read<Vec<Backlog>> {
        let outlook = Outlook { now, messages_per_minute: 0 };
        self.read(|tables| {
            let mut backlog: BTreeMap<(Option<ResellerId>, MessageState), (i64, Timestamp)> = BTreeMap::new();
            for (key, row) in tables.messages.iter().filter(|(_, row)| !row.state.is_end()) {
                let seen = tables.message(key, outlook).map_or(row.state, |message| message.state);
                let entry = backlog.entry((by_reseller.then(|| key.0.clone()), seen));
                let (count, first_due) = entry.or_insert((0, Timestamp::MAX));
                (*count, *first_due) = (*count + 1, row.due_time.min(*first_due));
            }
            let one =
                |((reseller, state), (messages, first_due))| Backlog { reseller, state, messages, first_due };
            backlog.into_iter().map(one).collect()
        })
        .await
    }

    async fn lanes(&self, now: Timestamp) -> Read<Vec<(LaneState, i64)>> {
        self.read(|tables| {
            let mut lanes = BTreeMap::new();
            for lane in tables.resellers.values().filter_map(|row| row.lane.as_ref()) {
                *lanes.entry(lane_state(lane, now)).or_default() += 1;
            }
            lanes.into_iter().collect()
        })
        .await
    }

    async fn first_expiries(&self, by_reseller: bool) -> Read<Vec<FirstExpiry>> {
        self.read(|tables| {
            let mut first: BTreeMap<Option<ResellerId>, Timestamp> = BTreeMap::new();
            for (reseller, (new, _)) in &tables.settings {
                if let Some(end) = new.credential.expire_time {
                    let time = first.entry(by_reseller.then(|| reseller.clone())).or_insert(end);
                    *time = end.min(*time);
                }
            }
            first.into_iter().map(|(reseller, time)| FirstExpiry { reseller, time }).collect()
        })
        .await
    }

    async fn over_contents(&self, now: Timestamp, limit: u32) -> Read<Vec<MessageKey>> {
        self.read(|tables| {
            let over = tables.messages.iter().filter(|(_, row)| row.purge_time.is_some_and(|t| t <= now));
            first(limit, over.map(|(key, _)| key.clone()))
        })
        .await
    }

    async fn over_history(&self, ended_until: Timestamp, limit: u32) -> Read<Vec<MessageKey>> {
        self.read(|tables| {
            let over = tables.messages.iter();
            let over = over.filter(|(_, row)| row.end_time.is_some_and(|end| end <= ended_until));
            first(limit, over.map(|(key, _)| key.clone()))
        })
        .await
    }

    async fn over_request_keys(&self, now: Timestamp, limit: u32) -> Read<Vec<(RequestKey, Timestamp)>> {
        self.read(|tables| {
            let over = tables.request_keys.iter();
            let over = over.filter_map(|(key, (_, end))| end.filter(|end| *end <= now).map(|end| (key, end)));
            first(limit, over.map(|(key, end)| (key.clone(), end)))
        })
        .await
    }

    async fn over_events(&self, kept_since: Timestamp, limit: u32) -> Read<Vec<OldEvent>> {
        self.read(|tables| {
            let old = tables.events.iter().take_while(|(_, (_, row))| row.time < kept_since);
            let old = old.map(|(position, (reseller, row))| OldEvent {
                reseller: reseller.clone(),
                number: row.number,
                position: *position,
            });
            first(limit, old)
        })
        .await
    }

    async fn abandoned(&self, now: Timestamp, limit: u32) -> Read<Vec<AttemptKey>> {
        self.read(|tables| {
            let open = tables.attempts.iter().filter(|((reseller, ..), row)| {
                row.end.is_none()
                    && row.call_deadline.is_some_and(|deadline| deadline <= now)
                    && tables.lane(reseller).is_none()
            });
            first(limit, open.map(|(key, _)| key.clone()))
        })
        .await
    }
}
