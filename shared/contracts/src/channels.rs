//! By what an order asks to be told: only what the client has set up.

use fleet_domain::{Client, NotifyChannel, ResultChannel};

use crate::{PurchaseBody, Rejection};

/// Refuses a name that no result and no message could ever go by.
pub(crate) fn check(client: &Client, body: &PurchaseBody) -> Result<(), Rejection> {
    check_deliver(client, body)?;
    check_notify(client, body)
}

/// A result that could never be delivered is refused now.
fn check_deliver(client: &Client, body: &PurchaseBody) -> Result<(), Rejection> {
    for name in body.deliver.iter().flatten() {
        let channel = ResultChannel::from_name(name).ok_or_else(|| {
            let known = ResultChannel::ALL.map(ResultChannel::name).join(", ");
            Rejection::field("deliver", &format!("must name {known} only"))
        })?;
        if !client.channels.contains_key(channel.name()) {
            let problem = format!("names {}, a channel not configured", channel.name());
            return Err(Rejection::field("deliver", &problem));
        }
    }
    Ok(())
}

/// A message that could never be sent is refused now.
fn check_notify(client: &Client, body: &PurchaseBody) -> Result<(), Rejection> {
    for name in body.notify.iter().flatten() {
        let channel = NotifyChannel::from_name(name)
            .ok_or_else(|| Rejection::field("notify", "must name sms or email only"))?;
        if !client.notify.connectors.contains_key(&channel) {
            let problem = format!("names {}, a channel not configured", channel.name());
            return Err(Rejection::field("notify", &problem));
        }
    }
    Ok(())
}
