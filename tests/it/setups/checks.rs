//! `--check` logs in where the program will, asks for what the program will do there, and leaves
//! nothing behind.

use fleet_contracts::Queue;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Letter, PROGRAMS, connector, purchase};
use secrecy::ExposeSecret;

use super::with;

/// The settings of a program that logs in to the broker as this user.
fn as_user(fleet: &TestFleet, user: &str, password: &str) -> toml::Table {
    let url = fleet.vhost().url_for(user, password).unwrap();
    with(fleet.settings().clone(), "broker.url", url.expose_secret())
}

/// As the program itself.
fn own(fleet: &TestFleet, program: &str) -> toml::Table {
    as_user(fleet, program, &format!("sample-{program}"))
}

async fn check(fleet: &TestFleet, program: &str, settings: &toml::Table) -> (i32, String) {
    let output = fleet.run_with(program, settings, &["--check"]).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("topsecret") && !text.contains("0707"), "a secret is printed: {text}");
    (output.status.code().unwrap(), text)
}

/// Each set-up fails the check of its program with this text.
async fn all_fail(fleet: &TestFleet, cases: &[(&str, toml::Table, i32, &str)]) {
    for (program, settings, wanted, told) in cases {
        let (code, text) = check(fleet, program, settings).await;
        assert_eq!(code, *wanted, "{program}: {told}: {text}");
        assert!(text.contains(told), "{program}\nshould be told: {told}\nis told: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_will_not_let_the_program_in_fails_its_check() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    for program in PROGRAMS {
        let (code, text) = check(&fleet, program, &own(&fleet, program)).await;
        assert_eq!(code, 0, "{program}: {text}");
    }
    let nowhere = "amqp://dispensing:topsecret@127.0.0.1:1/fleet";
    let other = fleet.vhost().url_for("dispensing", "sample-dispensing").unwrap();
    let other = other.expose_secret().replace(fleet.vhost().name(), "no-such-vhost");
    let settings = fleet.settings();
    let refused = "broker.url: the log-in is refused: mend its user or password";
    all_fail(
        &fleet,
        &[
            ("dispensing", as_user(&fleet, "dispensing", "topsecret"), 1, refused),
            ("gateway", as_user(&fleet, "nobody", "topsecret"), 1, refused),
            ("reservation", as_user(&fleet, "reservation", ""), 1, refused),
            (
                "dispensing",
                with(settings.clone(), "broker.url", nowhere),
                1,
                "broker.url: the broker cannot be reached",
            ),
            (
                "dispensing",
                with(settings.clone(), "broker.url", other),
                1,
                "broker.url: its virtual host is not there",
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_that_the_program_needs_and_lacks_fails_its_check() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let of = |user: &str| as_user(&fleet, user, &format!("sample-{user}"));
    all_fail(
        &fleet,
        &[
            ("dispensing", of("gateway"), 1, "may not read queue fleet.dispense: give it that"),
            ("reservation", of("dispensing"), 1, "may not read queue fleet.requested"),
            ("reservation", of("dispensing"), 1, "may not read queue fleet.dead"),
            ("reservation", of("fraud-reporting"), 1, "may not write to exchange amq.default"),
            ("result-delivery", of("fraud-reporting"), 1, "may not read queue fleet.notify"),
            (
                "gateway",
                of("svc-shop"),
                1,
                "may not write to exchange fleet with the key \"dispense\": give it that",
            ),
            ("fraud-reporting", of("gateway"), 1, "may not write to exchange fleet.dead"),
        ],
    )
    .await;
    fleet.vhost().delete_queue(Queue::Dispense.name()).await.unwrap();
    all_fail(&fleet, &[("dispensing", of("dispensing"), 1, "queue fleet.dispense is missing")])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_takes_no_message_and_leaves_none_behind() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let shop = fleet.shop().await;
    let body = fleet.message(&purchase("0000"), "we_reserve");
    shop.request(&Letter::purchase(&body)).await;
    for _ in 0..3 {
        for program in PROGRAMS {
            let (code, text) = check(&fleet, program, &own(&fleet, program)).await;
            assert_eq!(code, 0, "{program}: {text}");
        }
    }
    let administrator = fleet.administrator().await;
    for queue in Queue::ALL {
        let wanted = u32::from(queue == Queue::Requested);
        assert_eq!(administrator.ready(queue).await, wanted, "{}", queue.name());
    }
    // It was never handed out: no delivery of it counts.
    let counted = fleet.vhost().queue(Queue::Requested.name()).await.unwrap();
    let delivered = &counted["message_stats"]["deliver_get"];
    assert!(delivered.is_null() || *delivered == 0, "{counted}");
    fleet.start_worker("reservation").await;
    let reference = body["clientTxnRef"].as_str().unwrap().to_owned();
    fleet.wait_stored(1001, &reference).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grace_time_below_the_longest_call_is_refused_by_the_check_and_at_the_start() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let cases = [
        (
            "reservation",
            25,
            "shutdown.grace_seconds is 25, but a call of connector sample-bank may take \
             call_deadline_ms = 40000: raise the one to 40, or lower the other",
        ),
        (
            "dispensing",
            19,
            "shutdown.grace_seconds is 19, but a call of connector supplier-lookup may take \
             call_deadline_ms = 20000",
        ),
        (
            "result-delivery",
            29,
            "shutdown.grace_seconds is 29, but a result may take \
             outbound.deliver_deadline_ms = 30000",
        ),
        (
            "fraud-reporting",
            1,
            "shutdown.grace_seconds is 1, but a call of connector sample-desk may take \
             call_deadline_ms = 15000: raise the one to 15",
        ),
    ];
    for (program, grace, told) in cases {
        let settings = with(own(&fleet, program), "shutdown.grace_seconds", grace);
        for arguments in [vec!["--check"], Vec::new()] {
            let output = fleet.run_with(program, &settings, &arguments).await;
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{program} {arguments:?}: {text}");
            assert!(text.contains(told), "{program} {arguments:?}: {text}");
        }
    }
    let enough = with(own(&fleet, "reservation"), "shutdown.grace_seconds", 40);
    assert_eq!(check(&fleet, "reservation", &enough).await.0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connectors_host_that_is_not_found_is_warned_of_one_by_one() {
    let fleet = TestFleet::builder()
        .workers(&[])
        .directory(|import| {
            for name in ["sample-bank", "sample-wallet", "supplier-lookup", "sample-desk"] {
                connector(import, name).base_url = format!("https://{name}.invalid/x");
            }
            connector(import, "sample-wallet").active = false;
        })
        .start()
        .await;
    for (program, names, others) in [
        ("reservation", vec!["sample-bank"], vec!["sample-wallet", "supplier-lookup"]),
        ("dispensing", vec!["supplier-lookup"], vec!["sample-bank", "supplier-callback"]),
        ("fraud-reporting", vec!["sample-desk"], vec!["sample-bank"]),
    ] {
        let (code, text) = check(&fleet, program, &own(&fleet, program)).await;
        assert_eq!(code, 0, "{program}: {text}");
        for name in names {
            let told = format!("connector {name}: base_url: host {name}.invalid is not found");
            assert!(text.contains(&told), "{program}: {told}: {text}");
        }
        for name in others {
            assert!(!text.contains(&format!("connector {name}:")), "{program}: {name}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_nobody_listens_at_is_named_with_its_key() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    for program in ["gateway", "dispensing", "reservation"] {
        let url = "postgres://x:topsecret@127.0.0.1:1/x";
        let closed = with(own(&fleet, program), "database.url", url);
        let closed = with(closed, "database.acquire_timeout_ms", 300);
        // Both at once, and the rest of the check goes on.
        let nowhere = "amqp://x:topsecret@127.0.0.1:2/fleet";
        let closed = with(closed, "broker.url", nowhere);
        let (code, text) = check(&fleet, program, &closed).await;
        assert_eq!(code, 1, "{program}: {text}");
        for told in ["database.url: 127.0.0.1:1 cannot be connected to", "broker.url: the broker"] {
            assert!(text.contains(told), "{program}: {told}: {text}");
        }
    }
}
