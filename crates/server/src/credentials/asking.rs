//! Asking Entra for a token with a credential, for mail and for what another hand put into Vault.
//!
//! While Entra does not answer, nobody is asked for a token: as with Graph, one request tries first, then two, then four.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_dispatch::{Breakers, Told};
use postrider_domain::{AccessToken, Clock, Credential, Finding, FindingCode, Settings, TokenRefusal};

use crate::proofs::Proofs;

#[derive(Clone)]
pub(crate) struct Asking {
    pub proofs: Proofs,
    pub entra: Breakers,
    pub clock: Arc<dyn Clock>,
}

impl Asking {
    pub(crate) async fn token(
        &self,
        settings: &Settings,
        credential: &Credential,
    ) -> Result<AccessToken, TokenRefusal> {
        let Settings { reseller, values, .. } = settings;
        self.proofs.may_ask(values)?;
        let pass = self.entra.of(values.cloud).pass(reseller, self.clock.now());
        let pass = pass.map_err(|until| not_asked(until, self.clock.now()))?;
        let asked = self.proofs.token(reseller, values, credential).await;
        pass.ended(told_by(&asked), reseller, self.clock.now());
        asked
    }
}

fn not_asked(until: Timestamp, now: Timestamp) -> TokenRefusal {
    let finding = Finding::new(FindingCode::MicrosoftUnavailable)
        .with("reason", "Entra did not answer others: no token is asked for until it is tried again");
    let retry_after = Duration::try_from(until.duration_since(now)).ok();
    TokenRefusal { finding: Box::new(finding), retry_after }
}

fn told_by(asked: &Result<AccessToken, TokenRefusal>) -> Told {
    match asked.as_ref().map_err(|refusal| refusal.finding.code) {
        Err(FindingCode::MicrosoftUnavailable | FindingCode::NetworkUnreachable) => Told::Outage,
        // Of the assertion's source, before Entra was asked.
        Err(FindingCode::CredentialStoreUnavailable) => Told::Nothing,
        Ok(_) | Err(_) => Told::Answered,
    }
}
