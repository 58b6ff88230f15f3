//! A party that asks for a certificate in the handshake is shown ours, and nobody else is.

use std::sync::Arc;

use fleet_domain::{AuthenticateBy, DispenseState, PurchaseStatus};
use fleet_simulator::{EffectKind, Wanted};
use fleet_store::{ConnectorRow, DirectoryImport, ImportMode};
use fleet_testkit::TestFleet;
use fleet_testkit::certificates::{Authority, Certified};
use fleet_testkit::fleet::{TlsProxy, connector, purchase};
use secrecy::SecretString;

use crate::unknown::{CALL_DEADLINE_MS, SETTLE_SECONDS, impatient};

/// Connector, and its name at the simulator.
const BANK: (&str, &str) = ("sample-bank", "bank");
const SUPPLIER: (&str, &str) = ("supplier-lookup", "supplier-lookup");

fn by_certificate(row: &mut ConnectorRow, ours: &Certified) {
    row.authenticate = Some(AuthenticateBy::Mtls);
    row.secret = Some(SecretString::from(""));
    (row.api_key_header, row.user) = (None, None);
    row.certificate = Some(ours.certificate.clone());
    row.certificate_key = Some(SecretString::from(ours.key.clone()));
    (row.call_deadline_ms, row.settle_time_seconds) = (CALL_DEADLINE_MS, SETTLE_SECONDS);
}

/// Puts this in the place of a connector's party, which is shown `ours`.
fn behind(import: &mut DirectoryImport, name: &str, at: &TlsProxy, ours: &Certified) {
    let row = connector(import, name);
    row.base_url = at.in_front_of(&row.base_url);
    by_certificate(row, ours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_party_is_shown_the_certificate_of_its_row_and_a_new_one_counts_at_once() {
    let trusted = Authority::new("Whom we trust").unwrap();
    let [of_bank, of_supplier, next] =
        ["bank", "supplier", "next"].map(|name| Authority::new(name).unwrap());
    let bank = Arc::new(TlsProxy::start(&trusted, &of_bank).await.unwrap());
    let supplier = Arc::new(TlsProxy::start(&trusted, &of_supplier).await.unwrap());
    let [to_bank, to_supplier] =
        [&of_bank, &of_supplier].map(|authority| authority.issue("fleet").unwrap());
    let rows = [
        (BANK.0, Arc::clone(&bank), to_bank.clone()),
        (SUPPLIER.0, Arc::clone(&supplier), to_supplier.clone()),
    ];
    let fleet = impatient()
        .trusting(&trusted.own().certificate)
        .directory(move |import| {
            rows.iter().for_each(|(name, at, ours)| behind(import, name, at, ours));
        })
        .start()
        .await;
    for (_, party) in [BANK, SUPPLIER] {
        fleet.simulator().want(party, Wanted::Nothing);
    }
    let id = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    fleet.wait_status(id, PurchaseStatus::Success).await;
    fleet.wait_final(id).await;
    for (at, ours) in [(&bank, &to_bank), (&supplier, &to_supplier)] {
        assert!(at.was_shown(ours, 0), "the certificate of its own row");
    }
    // The supplier takes another authority's from now on.
    supplier.want(&next).unwrap();
    let taken = supplier.shown();
    let waits = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    fleet.until("it to refuse our certificate", async || supplier.refused() >= 2).await;
    assert_eq!(fleet.purchase(waits).await.purchase.status(), PurchaseStatus::Pending);
    assert_eq!((supplier.shown(), fleet.count(waits, EffectKind::Vend)), (taken, 0));
    let renewed = next.issue("fleet").unwrap();
    renew(&fleet, &supplier, &renewed).await;
    fleet.wait_status(waits, PurchaseStatus::Success).await;
    assert!(supplier.was_shown(&renewed, taken));
    assert_eq!(fleet.count(waits, EffectKind::Vend), 1);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_whose_own_certificate_nobody_vouches_for_is_sent_nothing() {
    let [trusted, stranger, clients] =
        ["trusted", "stranger", "clients"].map(|name| Authority::new(name).unwrap());
    let supplier = Arc::new(TlsProxy::start(&stranger, &clients).await.unwrap());
    let (at, ours) = (Arc::clone(&supplier), clients.issue("fleet").unwrap());
    let fleet = impatient()
        .trusting(&trusted.own().certificate)
        .directory(move |import| behind(import, SUPPLIER.0, &at, &ours))
        .start()
        .await;
    fleet.simulator().want(SUPPLIER.1, Wanted::Nothing);
    let id = fleet.reserve_and_transact(&purchase("0000")).await.accepted();
    let refused = async || {
        let journal = fleet.purchase(id).await.journal;
        journal.iter().filter(|row| row.detail.contains("no secure connection")).count() >= 2
    };
    fleet.until("its certificate to be refused twice", refused).await;
    assert_eq!(supplier.shown(), 0, "it learnt nothing of ours");
    assert_eq!(fleet.purchase(id).await.purchase.progress.dispense, DispenseState::NotStarted);
}

/// The supplier's row with another certificate, and all else as it is.
async fn renew(fleet: &TestFleet, at: &TlsProxy, ours: &Certified) {
    let mut sample = fleet_testkit::fleet::sample(fleet.simulator_url("").trim_end_matches('/'));
    behind(&mut sample, SUPPLIER.0, at, ours);
    let row = connector(&mut sample, SUPPLIER.0).clone();
    let import = DirectoryImport { connectors: vec![row], ..DirectoryImport::default() };
    fleet.store().import(&import, ImportMode::Apply).await.unwrap();
}
