use postrider_domain::{CredentialVersion, ResellerId};

/// What a store beneath reported, kept whole.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Each text may be told to whoever looks after the settings: no address, no path, no secret. The causes may not.
#[derive(Debug, thiserror::Error)]
pub enum CredentialStoreError {
    /// It may work later, and says nothing of the credential.
    #[error("the credential store cannot be reached")]
    Unavailable {
        #[source]
        cause: Cause,
    },
    /// The same, of Vault, which says why.
    #[error(transparent)]
    Vault(crate::vault::VaultError),
    #[error("there is no credential of {reseller} in version {}: save the settings with the credential again", version.as_str())]
    Missing { reseller: ResellerId, version: CredentialVersion },
    /// It can be undeleted in Vault.
    #[error("the credential of {reseller} in version {} was deleted in Vault: undelete it, or save the settings with the credential again", version.as_str())]
    Deleted { reseller: ResellerId, version: CredentialVersion },
    #[error("the credential of {reseller} in version {} was destroyed in Vault: save the settings with the credential again", version.as_str())]
    Destroyed { reseller: ResellerId, version: CredentialVersion },
    /// Damaged, moved from elsewhere, or sealed by another key: which of them is not said, for it may be an attacker
    /// who asks.
    #[error("the stored credential of {reseller} in version {} is damaged: save the settings with the credential again", version.as_str())]
    Damaged { reseller: ResellerId, version: CredentialVersion },
    /// Somebody else put one at the same time. Nothing was overwritten.
    #[error("the credential of {reseller} was changed by another meanwhile")]
    Conflict { reseller: ResellerId },
}

impl CredentialStoreError {
    /// Whether it may go by itself.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Vault(_))
    }
}
