//! The connections of each listener: how many there are, what they wait for, and which were cut; and until when our certificate lasts.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::Labels;
use super::registered;
use crate::door::Cut;

pub(super) struct AllConnections {
    open: Family<Labels, Gauge>,
    most: Family<Labels, Gauge>,
    handshakes: Family<Labels, Gauge>,
    cut: Family<Labels, Counter>,
    certificate_end: Family<Labels, Gauge>,
}

impl AllConnections {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        Self {
            open: registered(registry, "connections", "Connections that have a place"),
            most: registered(registry, "connections_max", "How many there may be: limits.connections"),
            handshakes: registered(registry, "tls_handshakes", "Of these, those whose TLS handshake goes on"),
            cut: registered(
                registry,
                "connections_cut",
                "Connections that were cut for what their client did",
            ),
            certificate_end: registered(
                registry,
                "tls_certificate_expire_timestamp_seconds",
                "When the certificate that clients are shown ends, or the first of its chain",
            ),
        }
    }

    pub(super) fn of(&self, listener: &'static str, most: usize) -> Connections {
        let labels = vec![("listener", listener.into())];
        self.most.get_or_create(&labels).set(i64::try_from(most).unwrap_or(i64::MAX));
        let cut = Cut::ALL.map(|why| {
            let labels = [labels.clone(), vec![("reason", why.as_str().into())]].concat();
            (why, self.cut.get_or_create_owned(&labels))
        });
        Connections {
            open: self.open.get_or_create_owned(&labels),
            handshakes: self.handshakes.get_or_create_owned(&labels),
            cut: Arc::new(cut),
        }
    }

    pub(super) fn certificate_ends(&self, end: Option<Timestamp>) {
        match end {
            Some(end) => drop(self.certificate_end.get_or_create(&Labels::new()).set(end.as_second())),
            None => self.certificate_end.clear(),
        }
    }
}

/// Those of one listener.
#[derive(Clone)]
pub(crate) struct Connections {
    open: Gauge,
    handshakes: Gauge,
    cut: Arc<[(Cut, Counter); Cut::ALL.len()]>,
}

impl Connections {
    pub(crate) fn opened(&self) -> Counted {
        Counted::by(&self.open)
    }

    pub(crate) fn shakes_hands(&self) -> Counted {
        Counted::by(&self.handshakes)
    }

    pub(crate) fn cut(&self, why: Cut) {
        for (_, counter) in self.cut.iter().filter(|(reason, _)| *reason == why) {
            counter.inc();
        }
    }
}

/// Counts until it is dropped.
pub(crate) struct Counted(Gauge);

impl Counted {
    fn by(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
