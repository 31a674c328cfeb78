use postrider_domain::{CredentialVersion, ResellerId};

/// What a store beneath reported, kept whole.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum CredentialStoreError {
    /// It may work later, and says nothing of the credential.
    #[error("the credential store cannot be reached")]
    Unavailable {
        #[source]
        cause: Cause,
    },
    #[error("there is no credential of {reseller} in version {}", version.as_str())]
    Missing { reseller: ResellerId, version: CredentialVersion },
    /// Damaged, moved from elsewhere, or sealed by another key: which of them is not said, for it may be an attacker
    /// who asks.
    #[error("the stored credential of {reseller} in version {} is damaged", version.as_str())]
    Damaged { reseller: ResellerId, version: CredentialVersion },
}
