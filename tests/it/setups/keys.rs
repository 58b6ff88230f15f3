//! One key or secret opens one client's door: imports and the database refuse it for two, and where
//! two have it all the same it opens neither.

use fleet_testkit::TestFleet;
use sqlx::Connection;

use super::imports::all_taken;

pub(crate) fn clients(rows: &[(i64, &str)]) -> String {
    let row = |(id, more): &(i64, &str)| {
        format!("[[client]]\nclient_id = {id}\nname = \"Shop {id}\"\n{more}\n")
    };
    rows.iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_gives_no_key_to_two_clients_whoever_writes() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let mut connection = fleet.database().connection().await.unwrap();
    for sql in [
        "update client set api_key_hashes =
             (select api_key_hashes from client where client_id = 1001) where client_id = 1002",
        "update client set oauth_secret_hashes =
             (select api_key_hashes from client where client_id = 1001) where client_id = 1002",
        "insert into client (client_id, name, oauth_secret_hashes)
             select 7001, 'x', oauth_secret_hashes from client where client_id = 1001",
    ] {
        let mut transaction = connection.begin().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut *transaction).await.unwrap();
        let error = transaction.commit().await.unwrap_err();
        let name =
            error.as_database_error().and_then(|error| error.constraint().map(str::to_owned));
        assert_eq!(name.as_deref(), Some("client_credential_of_one_client"), "{sql}");
    }
}

/// The status of a look-up as this client with this key.
async fn status(fleet: &TestFleet, client: i64, key: &str) -> u16 {
    let url = fleet.url(&format!("/productLookup/2.0?clientId={client}"));
    fleet.send(fleet.http().get(url).header("x-api-key", key)).await.status
}

async fn token_status(fleet: &TestFleet, client: &str, secret: &str) -> u16 {
    let form =
        [("client_id", client), ("client_secret", secret), ("grant_type", "client_credentials")];
    fleet.send(fleet.http().post(fleet.url("/oauth/token")).form(&form)).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_two_clients_have_all_the_same_opens_neithers_door() {
    let fleet = TestFleet::builder().workers(&["gateway"]).start().await;
    fleet.allow_log("two clients have one key or secret");
    assert_eq!(status(&fleet, 1001, "sample-key-1001").await, 200);
    // A database from before the rule: the same key in two rows, and the same secret in two others.
    let mut connection = fleet.database().connection().await.unwrap();
    let sql = "alter table client disable trigger client_credentials;
               update client set api_key_hashes = api_key_hashes ||
                   (select api_key_hashes from client where client_id = 1001)
               where client_id = 1011;
               update client set oauth_secret_hashes =
                   (select oauth_secret_hashes from client where client_id = 1002)
               where client_id = 1021;
               update directory_version set version = version + 1;";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    fleet
        .until("the gateway to name both clients", async || {
            let log = fleet.log_of(fleet.index_of("gateway"));
            let names = |one: &str, other: &str| {
                let line = |line: &str| {
                    line.contains("two clients have one key or secret")
                        && line.contains(&format!("\"client.one\":\"{one}\""))
                        && line.contains(&format!("\"client.other\":\"{other}\""))
                };
                log.lines().any(line)
            };
            names("1001", "1011") && names("1002", "1021")
        })
        .await;
    for client in [1001, 1011, 1001, 1011] {
        assert_eq!(status(&fleet, client, "sample-key-1001").await, 401, "{client}");
    }
    assert_eq!(status(&fleet, 1011, "sample-key-1011").await, 200, "its own still opens");
    let shared = "sample-oauth-secret-1002";
    for client in ["1002", "1021"] {
        assert_eq!(token_status(&fleet, client, shared).await, 400, "{client}");
    }
    assert_eq!(token_status(&fleet, "1001", "sample-oauth-secret-1001").await, 200);
    // An import that gives one of the two another key mends it.
    all_taken(&fleet, &[clients(&[(1011, "api_keys = [\"another-key-of-1011\"]")])]).await;
    let opens = async || status(&fleet, 1001, "sample-key-1001").await == 200;
    fleet.until("the key to be one client's again", opens).await;
}
