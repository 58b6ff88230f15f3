//! The directory as rows of an import. Secrets are left out: an import without them keeps the stored
//! ones, so that what was exported can be imported again without change.

use std::time::Duration;

use fleet_domain::{
    Client, Connector, DeskRules, Directory, IpnAccount, NotifyChannel, NotifyRules, Party,
    Product, TaskKind, endpoint,
};

use super::numbering::{CountryRow, OperatorRow, PrefixRow};
use super::rows::{
    ClientRow, ConnectorRow, DeskRow, DirectoryImport, IpnRow, NotifyRow, ProductRow,
};
use super::terms::TermsRow;

/// Everything of a directory that can be exported, in the order of its keys.
#[must_use]
pub fn exported(directory: &Directory) -> DirectoryImport {
    let mut all = DirectoryImport {
        clients: directory.clients.values().map(|c| client(directory, c)).collect(),
        connectors: directory.connectors.values().map(|c| connector(directory, c)).collect(),
        products: directory.products.values().map(product).collect(),
        terms: directory.terms.values().map(TermsRow::from).collect(),
        countries: directory.numbering.countries.values().map(CountryRow::from).collect(),
        operators: directory.numbering.operators.values().map(OperatorRow::from).collect(),
        prefixes: directory.numbering.prefixes.iter().map(prefix).collect(),
        ..DirectoryImport::default()
    };
    all.clients.sort_by_key(|row| row.client_id);
    all.connectors.sort_by(|a, b| a.name.cmp(&b.name));
    all.products.sort_by_key(|row| row.product_id);
    all.terms.sort_by_key(|row| (row.client.parse::<i64>().unwrap_or(0), row.product_id));
    all.prefixes.sort_by(|a, b| a.prefix.cmp(&b.prefix));
    all
}

fn prefix((prefix, operator): (&String, &String)) -> PrefixRow {
    PrefixRow { prefix: prefix.clone(), operator: operator.clone() }
}

pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Concurrency and rate of a lane.
fn limits(directory: &Directory, kind: TaskKind, owner: &str) -> (i64, i64) {
    let lane = directory.lanes.values().find(|lane| lane.kind == kind && lane.owner == owner);
    lane.map_or((64, 0), |lane| (i64::from(lane.concurrency), i64::from(lane.rate_per_second)))
}

pub(super) fn client(directory: &Directory, client: &Client) -> ClientRow {
    let own = client.id.to_string();
    let owner = if client.channels.contains_key("ipn") { endpoint(client.id, "ipn") } else { own };
    let (concurrency, rate_per_second) = limits(directory, TaskKind::Deliver, &owner);
    ClientRow {
        client_id: client.id.0,
        name: client.name.clone(),
        active: client.active,
        sandbox: client.sandbox,
        api_keys: None,
        signature_secret: None,
        signature_required: client.signature_required,
        oauth_secrets: None,
        token_required: client.token_required,
        refuse_similar: client.refuse_similar,
        references_are_numbers: client.references_are_numbers,
        broker_users: client.broker_users.clone(),
        answer_within_ms: milliseconds(client.answer_within),
        start_within_seconds: seconds(client.start_within),
        default_funding_source: client.default_funding_source.clone(),
        concurrency,
        rate_per_second,
        channels: client.channels.clone(),
        ipn: client.ipn.as_ref().map(ipn),
        card: client.card.clone(),
        notify: notify(&client.notify),
        desk: client.desk.clone(),
    }
}

/// `None` where nothing is set up.
pub(super) fn notify(rules: &NotifyRules) -> Option<NotifyRow> {
    let of = |channel| rules.connectors.get(&channel).cloned();
    let row = NotifyRow {
        sms: of(NotifyChannel::Sms),
        email: of(NotifyChannel::Email),
        language: rules.language.clone(),
    };
    (*rules != NotifyRules::default()).then_some(row)
}

fn ipn(ipn: &IpnAccount) -> IpnRow {
    IpnRow { account_id: ipn.account_id.clone(), key: None, form: ipn.form, failures: ipn.failures }
}

pub(super) fn connector(directory: &Directory, connector: &Connector) -> ConnectorRow {
    let kind = match connector.party {
        Party::Bank => TaskKind::Reserve,
        Party::Supplier => TaskKind::Dispense,
        Party::Desk => TaskKind::Report,
        Party::Channel => TaskKind::Notify,
    };
    let (concurrency, rate_per_second) = limits(directory, kind, &connector.name);
    let mut row = ConnectorRow {
        name: connector.name.clone(),
        party: connector.party,
        adapter: connector.adapter.name().to_owned(),
        base_url: connector.base_url.clone(),
        plain_http: connector.plain_http,
        inquiry: connector.inquiry,
        settle_time_seconds: seconds(connector.settle_time),
        call_deadline_ms: milliseconds(connector.call_deadline),
        callback_wait_seconds: seconds(connector.callback_wait),
        hold_seconds: connector.hold.map(seconds),
        hold_margin_seconds: seconds(connector.hold_margin),
        authenticate: None,
        secret: None,
        api_key_header: None,
        user: None,
        certificate: None,
        certificate_key: None,
        codes: connector.codes.clone(),
        desk: connector.desk.as_ref().map(desk),
        mo: connector.mo.clone(),
        account: connector.account.clone(),
        callers: connector.callers.as_ref().map(super::callers::exported),
        active: connector.active,
        sandbox: connector.sandbox,
        concurrency,
        rate_per_second,
    };
    super::authenticate::exported(&connector.authentication, &mut row);
    row
}

fn desk(rules: &DeskRules) -> DeskRow {
    DeskRow {
        msisdn: rules.msisdn,
        msisdn_key: None,
        validate: rules.validate,
        on_unavailable: rules.on_unavailable,
        validate_within_seconds: seconds(rules.validate_within),
        later: rules.later.clone(),
    }
}

pub(super) fn product(product: &Product) -> ProductRow {
    ProductRow {
        product_id: product.id.0,
        name: product.name.clone(),
        product_type: product.product_type.clone(),
        product_type_id: product.product_type_id,
        description: product.description.clone(),
        short_description: product.short_description.clone(),
        vendor_id: product.vendor_id,
        vendor: product.vendor.clone(),
        channels: product.channels.clone(),
        supplier: product.supplier.clone(),
        currency: product.currency.code().to_owned(),
        min_amount: product.min_amount,
        max_amount: product.max_amount,
        fee: product.fee,
        mo: product.mo.clone(),
        desk: product.desk.clone(),
        active: product.active,
    }
}
