//! Connectors as an import wants them.

use std::time::Duration;

use fleet_domain::{Adapter, Connector, DeskRules};
use serde_json::{Value, json};

use super::authenticate::{certificate_key, stored, wanted};
use super::callers;
use super::difference::{changed, number, sealed, secret_of};
use super::load::{CERTIFICATE_KEY, CONNECTOR_SECRET, DESK_KEY, connector_row};
use super::rows::{ConnectorRow, DeskRow};
use crate::{Keyring, StoreError};

pub(super) fn connector_secrets(
    before: Option<&Connector>,
    wanted: &Connector,
) -> Vec<&'static str> {
    let key = |c: &Connector| c.desk.as_ref().and_then(|desk| desk.msisdn_key.clone());
    changed(&[
        ("secret", before.and_then(|before| before.secret.clone()) != wanted.secret),
        ("callers.secret", callers::secret_of(before) != callers::secret_of(Some(wanted))),
        ("desk.msisdn_key", before.and_then(key) != key(wanted)),
        (
            "certificate_key",
            before.and_then(|before| certificate_key(&before.authentication))
                != certificate_key(&wanted.authentication),
        ),
    ])
}

fn desk(row: &DeskRow) -> Value {
    json!({
        "msisdn": row.msisdn, "validate": row.validate, "on_unavailable": row.on_unavailable,
        "validate_within_seconds": row.validate_within_seconds, "later": row.later,
    })
}

/// A connector as the import function wants it.
pub(super) fn connector_json(keyring: &Keyring, row: &ConnectorRow, wanted: &Connector) -> Value {
    let id = connector_row(&row.name);
    let desk_key = wanted.desk.as_ref().and_then(|desk| desk.msisdn_key.clone());
    let certificate_key = certificate_key(&wanted.authentication);
    let callers = wanted.callers.as_ref().map(callers::to_stored);
    json!({
        "name": row.name, "party": row.party, "adapter": row.adapter, "base_url": row.base_url,
        "plain_http": row.plain_http,
        "inquiry": row.inquiry, "settle_time_seconds": row.settle_time_seconds,
        "call_deadline_ms": row.call_deadline_ms,
        "callback_wait_seconds": row.callback_wait_seconds, "hold_seconds": row.hold_seconds,
        "hold_margin_seconds": row.hold_margin_seconds,
        "authenticate": stored(&wanted.authentication),
        "secret_sealed": sealed(keyring, CONNECTOR_SECRET, id, &wanted.secret),
        "certificate_key_sealed": sealed(keyring, CERTIFICATE_KEY, id, &certificate_key),
        "codes": row.codes, "active": row.active, "sandbox": row.sandbox,
        "desk": row.desk.as_ref().map(desk), "mo": row.mo, "account": row.account,
        "desk_msisdn_key_sealed": sealed(keyring, DESK_KEY, id, &desk_key),
        "callers_sealed": sealed(keyring, callers::CALLERS, id, &callers),
    })
}

pub(super) fn wanted_connector(
    row: &ConnectorRow,
    before: Option<&Connector>,
) -> Result<Connector, StoreError> {
    let secret = secret_of(row.secret.as_ref(), before.and_then(|before| before.secret.as_ref()));
    let authentication = wanted(row, secret.as_ref(), before);
    let incomplete = || StoreError::Unreadable(format!("connector {}: authenticate", row.name));
    let stored_key =
        before.and_then(|before| before.desk.as_ref()).and_then(|desk| desk.msisdn_key.as_ref());
    Ok(Connector {
        authentication: authentication.ok_or_else(incomplete)?,
        name: row.name.clone(),
        party: row.party,
        adapter: Adapter::of(row.party, &row.adapter),
        base_url: row.base_url.clone(),
        plain_http: row.plain_http,
        inquiry: row.inquiry,
        settle_time: Duration::from_secs(number(row.settle_time_seconds)),
        call_deadline: Duration::from_millis(number(row.call_deadline_ms)),
        callback_wait: Duration::from_secs(number(row.callback_wait_seconds)),
        hold: row.hold_seconds.map(|hold| Duration::from_secs(number(hold))),
        hold_margin: Duration::from_secs(number(row.hold_margin_seconds)),
        secret,
        codes: row.codes.clone(),
        desk: row.desk.as_ref().map(|desk| DeskRules {
            msisdn: desk.msisdn,
            msisdn_key: secret_of(desk.msisdn_key.as_ref(), stored_key),
            validate: desk.validate,
            on_unavailable: desk.on_unavailable,
            validate_within: Duration::from_secs(number(desk.validate_within_seconds)),
            later: desk.later.clone(),
        }),
        mo: row.mo.clone(),
        account: row.account.clone(),
        callers: callers::wanted(row, before),
        active: row.active,
        sandbox: row.sandbox,
    })
}
