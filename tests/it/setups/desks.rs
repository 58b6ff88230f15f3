//! Two fraud desks: nobody's desk is guessed, so an import says who has to name one.

use fleet_testkit::TestFleet;

use super::imports::{all_refused, all_taken};

fn desk(name: &str, more: &str) -> String {
    format!(
        "[[connector]]\nname = \"{name}\"\nparty = \"desk\"\nadapter = \"fraudstop\"\n\
         base_url = \"http://127.0.0.1:21080/{name}\"\ninquiry = \"repeat\"\n\
         call_deadline_ms = 1000\nsecret = \"key-of-a-desk\"\n{more}"
    )
}

fn client(id: i64, more: &str) -> String {
    format!("[[client]]\nclient_id = {id}\nname = \"Shop\"\n{more}\n")
}

fn product(id: i64, more: &str) -> String {
    format!(
        "[[product]]\nproduct_id = {id}\nname = \"Airtime\"\nproduct_type = \"airtime\"\n\
         supplier = \"supplier-lookup\"\ncurrency = \"ZAR\"\nmin_amount = 200\nmax_amount = 1000\n\
         {more}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_desks_without_a_choice_are_refused_at_import_with_who_has_to_choose() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let open = "there are the active fraud desks another-desk and sample-desk: each client has to \
                name its own in desk, and client 1001, 1002, 1011, 1021 does not; or each product, and \
                product 101, 102, 201, 301, 801 does not";
    let both = format!("{}{}", desk("another-desk", ""), client(77, ""));
    all_refused(
        &fleet,
        &[
            (desk("another-desk", ""), open),
            (both, "client 77: there are the active fraud desks"),
            (
                client(77, "desk = \"nobody\""),
                "client 77: desk must be a desk among the connectors",
            ),
            (client(77, "desk = \"sample-bank\""), "desk must be a desk among the connectors"),
            (
                client(77, "sandbox = true\ndesk = \"sample-desk\""),
                "desk must be in the sandbox iff it is of the sandbox itself",
            ),
            (product(77, "desk = \"mo-sample\""), "product 77: desk must be a desk"),
            (
                desk("another-desk", "[connector.desk]\nlater = [\"\"]\n"),
                "desk.later must be at most 32 words of 1 to 128 characters",
            ),
        ],
    )
    .await;
    // Where all clients name theirs, or the second is off or of the other side, it is taken; and then
    // nobody may come without.
    let off = desk("off-desk", "active = false\n");
    let sandbox = desk("sand-desk", "sandbox = true\n");
    let mut chosen = desk("another-desk", "");
    for id in [1001, 1002, 1011, 1021] {
        chosen.push_str(&client(id, "desk = \"sample-desk\""));
    }
    all_taken(&fleet, &[off, sandbox, chosen]).await;
    all_refused(
        &fleet,
        &[
            (client(1001, ""), "client 1001: there are the active fraud desks"),
            (client(78, ""), "and client 78 does not"),
            (desk("third-desk", "").replace("third", "fourth") + &client(79, ""), "client 79"),
        ],
    )
    .await;
    all_taken(&fleet, &[client(78, "desk = \"another-desk\""), product(77, "")]).await;
}
