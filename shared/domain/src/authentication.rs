//! How our calls show a party who we are.

use serde::{Deserialize, Serialize};

use crate::{
    Adapter, DeskAdapter, Inquiry, NotifyChannel, Party, Private, SourceAdapter, SupplierAdapter,
};

/// The header of an API key where a connector names none.
pub const API_KEY_HEADER: &str = "X-API-Key";

/// The way, as rows of an import name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticateBy {
    /// The header `Signature`: Base64 of HMAC-SHA256 over the raw body, which a GET has none of.
    #[default]
    Signature,
    /// A header that holds the secret as it is.
    ApiKey,
    /// `Authorization: Basic`.
    Basic,
    /// A certificate of ours in the TLS handshake.
    Mtls,
    /// Nothing at all.
    None,
}

/// How our calls to one party show who we are, with all that this takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// As the adapter's document has it, with the connector's secret; or nobody is called.
    ByAdapter,
    /// Not at all, and somebody said so.
    None,
    /// By the header `Signature` under this secret.
    Signature(Private),
    /// By a header that holds the key as it is.
    ApiKey {
        /// The header's name.
        header: String,
        /// The key.
        key: Private,
    },
    /// By `Authorization: Basic`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Private,
    },
    /// By a certificate in the TLS handshake.
    Mtls(ClientIdentity),
}

/// A certificate of ours and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate and those that sign it, PEM.
    pub certificate: String,
    /// The private key, PEM.
    pub key: Private,
}

impl AuthenticateBy {
    /// The word in tables and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::ApiKey => "api_key",
            Self::Basic => "basic",
            Self::Mtls => "mtls",
            Self::None => "none",
        }
    }

    /// Whether our calls take the connector's secret.
    #[must_use]
    pub const fn takes_the_secret(self) -> bool {
        matches!(self, Self::Signature | Self::ApiKey | Self::Basic)
    }

    /// Whether the secret of a connector also verifies what the party tells us by callback. A key
    /// that stands as it is in each call does so only where callbacks are the party's way.
    #[must_use]
    pub fn verifies_callbacks(self, party: Party, inquiry: Inquiry) -> bool {
        let in_the_clear = matches!(self, Self::ApiKey | Self::Basic);
        party == Party::Supplier && (!in_the_clear || inquiry == Inquiry::Callback)
    }
}

impl Authentication {
    /// The way's name; `None` where the adapter's document has it.
    #[must_use]
    pub const fn by(&self) -> Option<AuthenticateBy> {
        match self {
            Self::ByAdapter => None,
            Self::None => Some(AuthenticateBy::None),
            Self::Signature(_) => Some(AuthenticateBy::Signature),
            Self::ApiKey { .. } => Some(AuthenticateBy::ApiKey),
            Self::Basic { .. } => Some(AuthenticateBy::Basic),
            Self::Mtls(_) => Some(AuthenticateBy::Mtls),
        }
    }
}

/// Who fixes how calls of an adapter authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationOf {
    /// The connector's row.
    Row,
    /// The document behind the adapter, which takes the connector's secret.
    Document,
    /// Nobody is called.
    Nobody,
}

impl AuthenticationOf {
    /// Of an adapter.
    #[must_use]
    pub const fn adapter(adapter: &Adapter) -> Self {
        match adapter {
            Adapter::Source(
                SourceAdapter::MoCharge | SourceAdapter::CardPayment | SourceAdapter::CardSale,
            )
            | Adapter::Desk(DeskAdapter::FraudStop) => Self::Document,
            Adapter::Source(
                SourceAdapter::Bank | SourceAdapter::Charge | SourceAdapter::ChargeOnly,
            )
            | Adapter::Supplier(SupplierAdapter::Vend)
            | Adapter::Channel(NotifyChannel::Sms | NotifyChannel::Email) => Self::Row,
            Adapter::Supplier(SupplierAdapter::OwnGoods) | Adapter::Unknown(_) => Self::Nobody,
        }
    }
}
