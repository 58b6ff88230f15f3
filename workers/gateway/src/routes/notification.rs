//! The Notification API: a message about one of the caller's purchases, stored before it is answered.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{
    NOTIFICATIONS_MAX, NotificationBody, NotificationReply, Rejection, accept_notification,
};
use fleet_domain::{TaskKey, TaskKind};
use fleet_store::Notified;
use serde_json::json;

use crate::Gateway;
use crate::api::by_client;
use crate::caller::caller;
use crate::client_body::ClientBody;
use crate::problem::{Problem, fails, whole};

/// What the Notification API is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let example = json!({
        "clientId": 1001, "clientNotificationRef": "note-1",
        "transactionRef": "0198f000-0000-7000-8000-000000000000", "channelId": 6,
        "destinationIdentifier": "27821234567", "message": "Your airtime is there.",
    });
    let body = Content::json(document.read::<NotificationBody>()).example("sms", example);
    let reply = Content::json(document.written::<NotificationReply>());
    let operation = Operation::new("notification", "Notification")
        .about(
            "Sends a message about one of the caller's purchases, by SMS (6) or e-mail (9). \
             `clientNotificationRef` identifies it: the same content again is the same message.",
        )
        .tag("purchases")
        .body(body)
        .reply(200, "stored; it will be sent", reply);
    let problems = [
        Problem::of_field("transactionRef", "is not a transaction of this client"),
        Problem::NotAuthorised,
        Problem::NotificationConflict,
        Problem::Unavailable,
    ];
    fails(by_client(operation), document, &problems)
}

/// POST `/notification/1.0`.
pub(crate) async fn notify(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    ClientBody(body): ClientBody,
) -> Result<Json<NotificationReply>, Problem> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers)?;
    let body = whole(body)?;
    let body = NotificationBody::from_bytes(&body)?;
    let new = accept_notification(&directory, client, &body, directory.now())?;
    let pass = gateway.doors.client(client.id).await?;
    let (store, hints) = (gateway.store.clone(), gateway.hints.clone());
    // Its own task: a caller that hangs up must not keep the hint back.
    let stored = tokio::spawn(async move {
        let notified = store.notify(&new).await?;
        drop(pass);
        if let (Notified::New { slot, now }, Some(task)) = (notified, &new.task) {
            let key = TaskKey { purchase: new.purchase, kind: TaskKind::Notify, slot };
            hints.publish_one(key, task.lane, now).await;
        }
        Ok::<_, fleet_store::StoreError>((new, notified))
    });
    let (new, notified) = stored.await.map_err(|_panic| Problem::Unavailable)??;
    match notified {
        Notified::New { slot, .. } | Notified::Same { slot } => Ok(Json(new.reply(slot))),
        Notified::Conflict => Err(Problem::NotificationConflict),
        Notified::NotFound => {
            Err(Rejection::field("transactionRef", "is not a transaction of this client").into())
        }
        Notified::NoChannel => {
            Err(Rejection::field("channelId", "names a channel not configured").into())
        }
        Notified::TooMany => {
            let problem = format!("has {NOTIFICATIONS_MAX} notifications, which is the limit");
            Err(Rejection::field("transactionRef", &problem).into())
        }
    }
}
