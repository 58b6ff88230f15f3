//! By what a buyer came, and by what an order asks to be told: only what the client has set up.

use fleet_domain::{CHANNEL_IDS, Client, Directory, NotifyChannel, ResultChannel};

use crate::{PurchaseBody, Rejection};

/// A `channelId` that is one of the documents'. A rule of today: what a retry says of it is not asked.
///
/// # Errors
/// [`Rejection`] that names the field.
pub fn channel_of(sent: i64) -> Result<i32, Rejection> {
    CHANNEL_IDS.into_iter().find(|known| i64::from(*known) == sent).ok_or_else(|| {
        let problem = "must be 1 (POS), 2 (Internet), 3 (Mobile), 4 (ATM), 6 (SMS), 7 (USSD) or 8 \
                       (WhatsApp)";
        Rejection::field("channelId", problem)
    })
}

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

/// Refuses a channel that the client has not set up, or whose provider takes nothing new: nothing could
/// be sent by it.
pub(crate) fn check(
    directory: &Directory,
    client: &Client,
    body: &PurchaseBody,
) -> Result<(), Rejection> {
    for name in body.deliver.iter().flatten() {
        let channel = deliver_by(name)?;
        if !client.channels.contains_key(channel.name()) {
            return Err(not_configured("deliver", channel.name()));
        }
    }
    for name in body.notify.iter().flatten() {
        let channel = notify_by(name)?;
        if directory.notify_lane(client.id, channel).is_none() {
            return Err(not_configured("notify", channel.name()));
        }
        if channel == NotifyChannel::Email && body.notify_email.is_none() {
            return Err(Rejection::field("notifyEmail", "is missing: notify names email"));
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
