//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cut::Cut;
use crate::config::Limits;
use crate::metrics::{Connections, Counted};

pub(super) struct Places {
    all: Arc<Semaphore>,
    of_address: Arc<Taken>,
    per_address: usize,
    connections: Connections,
}

#[derive(Default)]
struct Taken(Mutex<HashMap<IpAddr, usize>>);

impl Taken {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that nobody has yet.
pub(super) struct Free(OwnedSemaphorePermit);

/// Given back when it is dropped.
pub(super) struct Place {
    _all: OwnedSemaphorePermit,
    taken: Arc<Taken>,
    address: IpAddr,
    connections: Connections,
    _open: Counted,
}

impl Places {
    pub(super) fn new(limits: Limits, connections: Connections) -> Self {
        let all = Arc::new(Semaphore::new(limits.connections));
        Self { all, of_address: Arc::default(), per_address: limits.connections_per_address, connections }
    }

    /// Once there is one; whoever comes meanwhile waits in the system's queue.
    pub(super) async fn free(&self) -> Free {
        match Arc::clone(&self.all).acquire_owned().await {
            Ok(permit) => Free(permit),
            // Never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// `None`: the address has as many as it may have.
    pub(super) fn take(&self, free: Free, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut taken = self.of_address.lock();
        let count = taken.entry(address).or_default();
        if *count >= self.per_address {
            self.connections.cut(Cut::AddressHasTooMany);
            return None;
        }
        *count += 1;
        Some(Place {
            _all: free.0,
            taken: Arc::clone(&self.of_address),
            address,
            connections: self.connections.clone(),
            _open: self.connections.opened(),
        })
    }
}

impl Place {
    /// Those of its listener.
    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// Whoever has one address of IPv6 has the 64 bits behind it.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}
