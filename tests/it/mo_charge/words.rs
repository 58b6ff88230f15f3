//! What an operator's check says of a charge: by the connector's own words, and field by field.

use fleet_domain::{ParkClass, PlanClass, ProductId, PurchaseId, PurchaseStatus, TaskKind};
use fleet_simulator::{Action, AnswerKind, Behaviour};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{Builder, connector};
use serde_json::{Value, json};

use super::{by_sms, moved};
use crate::unknown::impatient;

/// Asks about a charge twice, a second apart, and then a person.
fn soon_over() -> Builder {
    impatient().plan(TaskKind::Reserve, PlanClass::Unknown, &[1, 1])
}

/// A charge whose check says this in place of what is true.
async fn checked(fleet: &TestFleet, says: &Value) -> PurchaseId {
    let body = by_sms("0000", "0000");
    let buyer = body["sourceIdentifier"].as_str().unwrap();
    let odd = AnswerKind::Odd(says.as_object().unwrap().clone());
    fleet.simulator().script(buyer, Action::MoCheck, vec![Behaviour::no_effect(odd)]);
    fleet.reserve_and_transact(&body).await.reference()
}

async fn in_words(fleet: &TestFleet, charged: &[&str], not: &[&str], neither: &[&str]) {
    let mut asked = Vec::new();
    for (words, ends) in [
        (charged, Some(PurchaseStatus::Success)),
        (not, Some(PurchaseStatus::Failed)),
        (neither, None),
    ] {
        for word in words {
            asked.push((*word, ends, checked(fleet, &json!({ "status": word })).await));
        }
    }
    for (word, ends, id) in asked {
        let goods = usize::from(ends == Some(PurchaseStatus::Success));
        match ends {
            Some(status) => {
                let view = fleet.wait_status(id, status).await;
                if status == PurchaseStatus::Failed {
                    let code = view.purchase.progress.reserve_code.as_deref();
                    assert_eq!(code, Some("2090"), "{word}");
                    let told = view.journal.iter().any(|row| row.detail.contains(word));
                    assert!(told, "{word}: {:?}", view.journal);
                }
            }
            None => {
                let parked = fleet.wait_parked(id).await;
                assert_eq!(parked.class, ParkClass::UnknownOutcome, "{word}");
                assert!(parked.cause.contains("its status"), "{word}: {}", parked.cause);
            }
        }
        assert_eq!(moved(fleet, id)[2], goods, "{word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_is_read_by_the_documents_words_where_the_connector_has_none_of_its_own() {
    let fleet = soon_over().start().await;
    let charged = ["CHARGED", "success", "Success", "charged"];
    in_words(&fleet, &charged, &["error", "ERROR"], &["settled", "ok", ""]).await;
    // What the check of a charge that failed has nothing to say of is not asked for.
    let bare = json!({ "status": "error", "amount": null, "currency": null });
    let id = checked(&fleet, &bare).await;
    fleet.wait_status(id, PurchaseStatus::Failed).await;
    // But whose charge it was: an error may be one of the question.
    let of_the_question = json!({ "status": "error", "msisdn": null, "merchant": null });
    let id = checked(&fleet, &of_the_question).await;
    let parked = fleet.wait_parked(id).await;
    assert!(parked.cause.contains("its merchant differs"), "{}", parked.cause);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_is_read_by_the_connectors_own_words_in_any_case() {
    let fleet = soon_over()
        .directory(|import| {
            let mo = connector(import, "mo-sample").mo.as_mut().unwrap();
            mo.accepting = ["settled", "PAID OUT"].map(str::to_owned).into();
            mo.refusing = ["declined", "No Credit"].map(str::to_owned).into();
        })
        .start()
        .await;
    let charged = ["settled", "SETTLED", "Paid Out"];
    in_words(&fleet, &charged, &["declined", "Declined"], &["CHARGED", "success", "error"]).await;
    let shown = fleet.operator(&["connector", "show", "mo-sample"]).await;
    let mo = &shown["row"]["mo"];
    assert_eq!(mo["accepting"], json!(["settled", "PAID OUT"]), "{shown}");
    assert_eq!(mo["refusing"], json!(["declined", "No Credit"]), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_does_not_vouch_is_told_with_the_field_that_differs() {
    let fleet = soon_over().start().await;
    let mut asked = Vec::new();
    for (field, value) in [
        ("merchant", json!("partner:another")),
        ("campaign", json!("campaign:00")),
        ("msisdn", json!("27000000000")),
        ("amount", json!("15.51")),
        ("amount", json!(1550)),
        ("amount", json!(null)),
        ("currency", json!("USD")),
        ("environment", json!("test")),
        ("status", json!("settled")),
    ] {
        asked.push((field, checked(&fleet, &json!({ field: value })).await));
    }
    for (field, id) in asked {
        let parked = fleet.wait_parked(id).await;
        let named = format!("its {field}");
        assert!(parked.cause.contains(&named), "{field}: {}", parked.cause);
        assert!(!parked.cause.contains("27000000000"), "never the value");
        let view = fleet.purchase(id).await;
        let told = view.journal.iter().any(|row| row.detail.contains(&named));
        assert!(told, "{field}: {:?}", view.journal);
        assert_eq!(moved(&fleet, id)[2], 0, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_products_own_campaign_and_description_go_out_and_come_back_with_its_charges() {
    let fleet = soon_over().start().await;
    let folder = std::env::temp_dir().join(format!("fleet-mo-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let directory = fleet.store().load_directory().await.unwrap();
    let mut rows =
        "product_id,name,product_type,supplier,currency,min_amount,max_amount,fee.fixed,\
                    fee.basis_points,mo.campaign,mo.description\n"
            .to_owned();
    for (id, own) in [(101, "campaign:0101,Airtime by SMS"), (301, ",Lotto"), (201, ",")] {
        let product = &directory.products[&ProductId(id)];
        rows.push_str(&format!(
            "{id},\"{}\",{},{},{},{},{},{},{},{own}\n",
            product.name,
            product.product_type,
            product.supplier,
            product.currency,
            product.min_amount,
            product.max_amount,
            product.fee.fixed,
            product.fee.basis_points,
        ));
    }
    let file = folder.join("products.csv");
    std::fs::write(&file, rows).unwrap();
    let imported = fleet.run("fleet", &["product", "import", &file.display().to_string()]).await;
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let shown = fleet.operator(&["product", "show", "101"]).await;
    assert_eq!(shown["row"]["mo"]["campaign"], "campaign:0101", "{shown}");

    let connectors = ("campaign:940d351138df895e8dedf51e5d7b90788cdc23d0", "Purchase Fleet");
    for (product, currency, amount, wanted) in [
        (101, "ZAR", 1_500, ("campaign:0101", "Airtime by SMS")),
        (301, "KWD", 500, (connectors.0, "Lotto")),
        (201, "ZAR", 1_500, connectors),
    ] {
        // Processes read the directory anew within a second or two.
        let is_told = async || {
            let mut body = by_sms("0000", "0000");
            body["productId"] = product.into();
            body["currencyCode"] = currency.into();
            body["purchaseAmount"] = amount.into();
            let answer = fleet.reserve_and_transact(&body).await;
            assert_eq!(answer.status, 200, "{product}: {answer:?}");
            let id = answer.reference();
            let asked = async || fleet.simulator().sms_of(&id.to_string()).is_some();
            fleet.until("the buyer to be asked", asked).await;
            let (campaign, description) = fleet.simulator().sms_of(&id.to_string()).unwrap();
            if (campaign.as_str(), description.as_str()) != wanted {
                return false;
            }
            // Its notification and its check name the product's campaign, and count.
            fleet.wait_status(id, PurchaseStatus::Success).await;
            true
        };
        fleet.until(&format!("product {product} to be asked for in its words"), is_told).await;
    }
}
