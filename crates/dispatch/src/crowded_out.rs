//! Mail for whose content there is no memory: it waits for its turn at that, and smaller mail of its lane goes on.
//!
//! One message of a lane waits at a time, the first that found no room. Until there is room for it nothing of its size or
//! above is looked at: what would find none either does not stand in the way of what may.

use std::future::pending;
use std::pin::Pin;

use postrider_domain::{MessageId, Queued};

use crate::memory::{Memory, Room};

#[derive(Default)]
pub(crate) enum CrowdedOut {
    #[default]
    Nobody,
    Waits {
        first: MessageId,
        /// Mail of fewer bytes is still looked at.
        below: u32,
        room: Pin<Box<dyn Future<Output = Option<Room>> + Send>>,
    },
    HasRoom {
        first: MessageId,
        room: Room,
    },
}

impl CrowdedOut {
    pub(crate) fn waits(&self) -> bool {
        matches!(self, Self::Waits { .. })
    }

    pub(crate) fn below(&self) -> u32 {
        match self {
            Self::Waits { below, .. } => *below,
            Self::Nobody | Self::HasRoom { .. } => u32::MAX,
        }
    }

    /// Room for the content of a message; if there is none, it waits, or whoever came before it.
    pub(crate) fn room_for(&mut self, queued: &Queued, memory: &Memory) -> Option<Room> {
        if matches!(self, Self::HasRoom { first, .. } if *first == queued.id)
            && let Self::HasRoom { room, .. } = std::mem::take(self)
        {
            return Some(room);
        }
        let room = memory.room(queued.content_bytes);
        match self {
            _ if room.is_some() => {}
            Self::Waits { below, .. } => *below = queued.content_bytes.min(*below),
            Self::Nobody | Self::HasRoom { .. } => {
                let room = Box::pin(memory.next_room(queued.content_bytes));
                *self = Self::Waits { first: queued.id, below: queued.content_bytes, room };
            }
        }
        room
    }

    /// Returns once there is room for who waits.
    pub(crate) async fn finds_room(&mut self) {
        let Self::Waits { first, room, .. } = self else { return pending().await };
        let (first, room) = (*first, room.await);
        *self = room.map_or(Self::Nobody, |room| Self::HasRoom { first, room });
    }

    /// Looked at anew, there is nobody: the lane is stopped.
    pub(crate) fn gives_up(&mut self) {
        *self = Self::Nobody;
    }

    /// Whoever has room and is not to be sent any more gives it back.
    pub(crate) fn is_still_among(&mut self, queued: &[Queued]) {
        if let Self::HasRoom { first, .. } = self
            && !queued.iter().any(|one| one.id == *first)
        {
            self.gives_up();
        }
    }
}
