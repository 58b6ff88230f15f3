//! By what an order asks to be told: only what the client has set up.

use fleet_domain::{Client, NotifyChannel, ResultChannel};

use crate::{PurchaseBody, Rejection};

/// Refuses a name that nobody's results and messages could ever go by.
pub(crate) fn check_names(body: &PurchaseBody) -> Result<(), Rejection> {
    for name in body.deliver.iter().flatten() {
        deliver_by(name)?;
    }
    for name in body.notify.iter().flatten() {
        notify_by(name)?;
    }
    Ok(())
}

/// Refuses a channel that the client has not set up: nothing could be sent by it.
pub(crate) fn check(client: &Client, body: &PurchaseBody) -> Result<(), Rejection> {
    for name in body.deliver.iter().flatten() {
        let channel = deliver_by(name)?;
        if !client.channels.contains_key(channel.name()) {
            return Err(not_configured("deliver", channel.name()));
        }
    }
    for name in body.notify.iter().flatten() {
        let channel = notify_by(name)?;
        if !client.notify.connectors.contains_key(&channel) {
            return Err(not_configured("notify", channel.name()));
        }
    }
    Ok(())
}

fn not_configured(field: &str, channel: &str) -> Rejection {
    Rejection::field(field, &format!("names {channel}, a channel not configured"))
}

fn deliver_by(name: &str) -> Result<ResultChannel, Rejection> {
    ResultChannel::from_name(name).ok_or_else(|| {
        let known = ResultChannel::ALL.map(ResultChannel::name).join(", ");
        Rejection::field("deliver", &format!("must name {known} only"))
    })
}

fn notify_by(name: &str) -> Result<NotifyChannel, Rejection> {
    NotifyChannel::from_name(name)
        .ok_or_else(|| Rejection::field("notify", "must name sms or email only"))
}
