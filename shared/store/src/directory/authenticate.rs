//! How our calls show a party who we are: as stored, as imported, and what an import must fulfil.

use fleet_domain::{
    API_KEY_HEADER, Adapter, AuthenticateBy, Authentication, AuthenticationOf, ClientIdentity,
    Connector, Inquiry, Party, Private,
};
use fleet_outbound::{Identity, is_header};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::difference::secret_of;
use super::rows::ConnectorRow;

/// Bytes that the key of an HMAC has at least: fewer can be guessed by whoever sees one signature.
const HMAC_KEY_BYTES_MIN: usize = 16;

/// All of it that is no secret.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    by: AuthenticateBy,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

impl Stored {
    /// As a row wants it; `None` where the adapter's document fixes it.
    fn of_row(row: &ConnectorRow) -> Option<Self> {
        let usual = || API_KEY_HEADER.to_owned();
        let by = row.authenticate.unwrap_or_default();
        (of(row) == AuthenticationOf::Row).then(|| Self {
            by,
            header: (by == AuthenticateBy::ApiKey)
                .then(|| row.api_key_header.clone().unwrap_or_else(usual)),
            user: row.user.clone(),
            certificate: row.certificate.clone(),
        })
    }

    /// `None` when a part is missing.
    pub(super) fn with(
        self,
        secret: Option<&Private>,
        certificate_key: Option<Private>,
    ) -> Option<Authentication> {
        let secret = secret.cloned();
        Some(match self.by {
            AuthenticateBy::None => Authentication::None,
            AuthenticateBy::Signature => Authentication::Signature(secret?),
            AuthenticateBy::ApiKey => Authentication::ApiKey { header: self.header?, key: secret? },
            AuthenticateBy::Basic => Authentication::Basic { user: self.user?, password: secret? },
            AuthenticateBy::Mtls => Authentication::Mtls(ClientIdentity {
                certificate: self.certificate?,
                key: certificate_key?,
            }),
        })
    }
}

/// What stands in the table; nothing where the adapter's document fixes it.
pub(super) fn stored(authentication: &Authentication) -> Option<Stored> {
    let by = authentication.by()?;
    let mut stored = Stored { by, header: None, user: None, certificate: None };
    match authentication {
        Authentication::ByAdapter | Authentication::None | Authentication::Signature(_) => {}
        Authentication::ApiKey { header, .. } => stored.header = Some(header.clone()),
        Authentication::Basic { user, .. } => stored.user = Some(user.clone()),
        Authentication::Mtls(identity) => stored.certificate = Some(identity.certificate.clone()),
    }
    Some(stored)
}

/// The key of the certificate, where there is one.
pub(super) fn certificate_key(authentication: &Authentication) -> Option<Private> {
    match authentication {
        Authentication::Mtls(identity) => Some(identity.key.clone()),
        Authentication::ByAdapter
        | Authentication::None
        | Authentication::Signature(_)
        | Authentication::ApiKey { .. }
        | Authentication::Basic { .. } => None,
    }
}

/// As a row wants it; `None` when a part is missing.
pub(super) fn wanted(
    row: &ConnectorRow,
    secret: Option<&Private>,
    before: Option<&Connector>,
) -> Option<Authentication> {
    let Some(wanted) = Stored::of_row(row) else { return Some(Authentication::ByAdapter) };
    wanted.with(secret, wanted_key(row, before))
}

fn wanted_key(row: &ConnectorRow, before: Option<&Connector>) -> Option<Private> {
    let stored = before.and_then(|before| certificate_key(&before.authentication));
    secret_of(row.certificate_key.as_ref(), stored.as_ref())
}

/// The fields of a row that hold them.
pub(super) fn exported(authentication: &Authentication, row: &mut ConnectorRow) {
    let Some(stored) = stored(authentication) else { return };
    row.authenticate = Some(stored.by);
    row.api_key_header = stored.header.filter(|header| header != API_KEY_HEADER);
    row.user = stored.user;
    row.certificate = stored.certificate;
}

impl Check {
    /// How our calls show who we are, and that no secret lies about unused.
    pub(super) fn authentication(
        &mut self,
        name: &str,
        row: &ConnectorRow,
        before: Option<&Connector>,
    ) {
        let stored = before.and_then(|before| before.secret.as_ref());
        let secret = secret_of(row.secret.as_ref(), stored);
        match of(row) {
            AuthenticationOf::Row => {
                let by = row.authenticate.unwrap_or_default();
                self.foreign_fields(name, row, Some(by));
                self.secret(name, row, by, secret.as_ref());
                match by {
                    AuthenticateBy::ApiKey => self.api_key(name, row, secret.as_ref()),
                    AuthenticateBy::Basic => self.basic(name, row, secret.as_ref()),
                    AuthenticateBy::Mtls => self.certificate(name, row, before),
                    AuthenticateBy::Signature | AuthenticateBy::None => {}
                }
            }
            AuthenticationOf::Document => {
                self.fixed(name, row, "its document fixes how our calls show who we are");
                if secret.is_none() {
                    self.say(name, "secret is missing, and none is stored");
                }
            }
            AuthenticationOf::Nobody if Adapter::of(row.party, &row.adapter).is_unknown() => {}
            AuthenticationOf::Nobody => {
                self.fixed(name, row, "it calls nobody");
                if secret.is_some() {
                    self.unused(name, row);
                }
            }
        }
    }

    /// An adapter that leaves nothing to say.
    fn fixed(&mut self, name: &str, row: &ConnectorRow, why: &str) {
        if row.authenticate.is_some() {
            let adapter = &row.adapter;
            self.say(
                name,
                &format!("authenticate must be absent with the adapter {adapter}: {why}"),
            );
        }
        self.foreign_fields(name, row, None);
    }

    /// Fields that belong to another way.
    fn foreign_fields(&mut self, name: &str, row: &ConnectorRow, by: Option<AuthenticateBy>) {
        let fields = [
            ("api_key_header", row.api_key_header.is_some(), AuthenticateBy::ApiKey),
            ("user", row.user.is_some(), AuthenticateBy::Basic),
            ("certificate", row.certificate.is_some(), AuthenticateBy::Mtls),
            ("certificate_key", row.certificate_key.is_some(), AuthenticateBy::Mtls),
        ];
        for (field, is_there, owner) in fields {
            if is_there && by != Some(owner) {
                let owner = owner.name();
                self.say(name, &format!("{field} goes with authenticate = \"{owner}\" only"));
            }
        }
    }

    fn secret(
        &mut self,
        name: &str,
        row: &ConnectorRow,
        by: AuthenticateBy,
        secret: Option<&Private>,
    ) {
        let verifies = by.verifies_callbacks(row.party, row.inquiry);
        let word = by.name();
        match secret {
            None if by.takes_the_secret() => {
                let problem = format!(
                    "secret is missing, and none is stored: authenticate = \"{word}\" takes it \
                     (a party that wants nothing of us needs authenticate = \"none\")"
                );
                self.say(name, &problem);
            }
            None if row.party == Party::Supplier && row.inquiry == Inquiry::Callback => {
                let problem = "secret is missing, and none is stored: without it no word of its is \
                               believed";
                self.say(name, problem);
            }
            None => {}
            Some(_) if !by.takes_the_secret() && !verifies => self.unused(name, row),
            Some(secret) => {
                let signs = by == AuthenticateBy::Signature || verifies;
                if signs && secret.expose().len() < HMAC_KEY_BYTES_MIN {
                    let problem = format!(
                        "secret must have {HMAC_KEY_BYTES_MIN} bytes or more: it is the key of \
                         signatures"
                    );
                    self.say(name, &problem);
                }
            }
        }
    }

    fn unused(&mut self, name: &str, row: &ConnectorRow) {
        let problem = if row.secret.is_some() {
            "secret is used by nothing: neither by our calls nor for callbacks; leave it out, or \
             say how our calls show who we are (authenticate)"
        } else {
            "a secret is stored and would be used by nothing any more: secret = \"\" takes it away"
        };
        self.say(name, problem);
    }

    fn api_key(&mut self, name: &str, row: &ConnectorRow, secret: Option<&Private>) {
        let header = row.api_key_header.as_deref().unwrap_or(API_KEY_HEADER);
        if !is_header(header, &SecretString::from("key")) {
            self.say(name, "api_key_header must be the name of a header that may be chosen freely");
        } else if secret.is_some_and(|secret| !is_header(header, &text(secret))) {
            let problem = "secret must be 1 to 4096 ASCII characters without blanks around: it is a \
                           header's value";
            self.say(name, problem);
        }
    }

    fn basic(&mut self, name: &str, row: &ConnectorRow, secret: Option<&Private>) {
        match row.user.as_deref() {
            None => self.say(name, "user is missing: authenticate = \"basic\" takes it"),
            Some(user) => {
                let is_long = user.chars().count() > 200;
                if user.is_empty() || is_long || user.contains(':') || has_control(user) {
                    let problem = "user must be 1 to 200 characters without a colon or control \
                                   characters";
                    self.say(name, problem);
                }
            }
        }
        let fits =
            |secret: &Private| secret.expose().len() <= 1_000 && !has_control(secret.expose());
        if secret.is_some_and(|secret| !fits(secret)) {
            self.say(name, "secret must be at most 1000 bytes without control characters");
        }
    }

    fn certificate(&mut self, name: &str, row: &ConnectorRow, before: Option<&Connector>) {
        if !row.base_url.starts_with("https://") {
            self.say(name, "base_url must be an https url: authenticate = \"mtls\" is part of TLS");
        }
        let certificate = row.certificate.as_deref().unwrap_or_default();
        if certificate.is_empty() {
            self.say(name, "certificate is missing: authenticate = \"mtls\" takes it, as PEM");
        } else if certificate.contains("PRIVATE KEY") {
            let problem = "certificate must not hold a private key: that is certificate_key, which \
                           is stored under seal and never exported";
            self.say(name, problem);
        } else if let Some(key) = wanted_key(row, before) {
            let identity = Identity::new(&row.name, certificate, key.expose());
            if identity.check().is_err() {
                let problem = "certificate and certificate_key must be a certificate and its own \
                               private key, both PEM, the key not encrypted: the sender cannot load \
                               them";
                self.say(name, problem);
            }
            return;
        }
        if wanted_key(row, before).is_none() {
            let problem = "certificate_key is missing, and none is stored: authenticate = \"mtls\" \
                           takes it, as PEM";
            self.say(name, problem);
        }
    }
}

fn of(row: &ConnectorRow) -> AuthenticationOf {
    AuthenticationOf::adapter(&Adapter::of(row.party, &row.adapter))
}

fn text(secret: &Private) -> SecretString {
    SecretString::from(secret.expose().to_owned())
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}
