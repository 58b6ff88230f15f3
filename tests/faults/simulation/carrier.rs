//! The way from a process to the parties, and what gets lost on it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fleet_outbound::{Body, Call, Carried, Carry, Cause, FirstByte, Method, Reply, SendError};
use tokio::time::Instant;

use super::parties::{self, Ask};
use super::process::Process;
use super::world::{World, pass};

/// An answer that is lost took so long at most to have its effect; less than the settle time.
const LATE_EFFECT_MS: u64 = 2_500;

/// The way from a process to the parties.
pub(super) struct Carrier {
    pub(super) process: Arc<Process>,
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").field("process", &self.process).finish()
    }
}

impl Carry for Carrier {
    fn carry(&self, call: Call, first_byte: FirstByte) -> Carried<'_> {
        Box::pin(carry(&self.process, call, first_byte))
    }
}

/// How an exchange goes on its way.
enum Way {
    Well,
    LostBefore,
    LostAfter,
    LateEffect,
    Unreadable,
    ServerError,
}

fn way(world: &World) -> Way {
    if !world.chance(world.knobs.lost) {
        return Way::Well;
    }
    let (way, branch) = match world.below(6) {
        0 => (Way::LostBefore, "fault call lost before its effect"),
        1 => (Way::LateEffect, "fault late effect"),
        2 => (Way::Unreadable, "fault answer unreadable"),
        3 => (Way::ServerError, "fault answer lost"),
        _ => (Way::LostAfter, "fault answer lost"),
    };
    world.reach(branch);
    way
}

async fn carry(process: &Process, call: Call, first_byte: FirstByte) -> Result<Reply, SendError> {
    let world = &process.world;
    process.pass("call").await;
    // As the sender does right before the first byte.
    let now = Instant::now();
    if now >= call.send_before || now >= call.deadline {
        return Err(SendError::NotSent { cause: Cause::TooLate });
    }
    if world.chance(world.knobs.unconnected) {
        world.reach("fault not connected");
        let cause = Cause::Connection(std::io::ErrorKind::ConnectionRefused);
        return Err(SendError::NotSent { cause });
    }
    first_byte(now);
    let url = call.url.strip_prefix("http://").unwrap_or(&call.url).to_owned();
    let (body, fields) = match call.body {
        Body::Empty => (Vec::new(), Vec::new()),
        Body::Json(bytes) => (bytes.to_vec(), Vec::new()),
        Body::Form(fields) | Body::Multipart(fields) => (Vec::new(), fields),
    };
    let (url, query) = url.split_once('?').unwrap_or((&url, ""));
    let asked = url::form_urlencoded::parse(query.as_bytes()).into_owned();
    let (url, fields) = (url.to_owned(), fields.into_iter().chain(asked).collect());
    debug_assert!(call.method == Method::Post || body.is_empty());
    poison(world, &url, &body);
    let sent = Sent { url, body, fields };
    let reply = sent.served(world, way(world), call.deadline).await;
    process.pass("answer").await;
    reply
}

/// A step that dies over the first purchase's vend, each time.
fn poison(world: &World, url: &str, body: &[u8]) {
    let first = "01920000-0000-7000-8000-000000000000-0000";
    let names_it = || url.ends_with(first) || String::from_utf8_lossy(body).contains(first);
    if world.knobs.poison && names_it() {
        // Without the hook that prints it: it is meant to be.
        std::panic::resume_unwind(Box::new("a step that dies over its purchase"));
    }
}

struct Sent {
    url: String,
    body: Vec<u8>,
    fields: Vec<(String, String)>,
}

impl Sent {
    fn ask(&self) -> Ask<'_> {
        let (party, path) = self.url.split_once('/').unwrap_or((&self.url, ""));
        Ask { party, path, body: &self.body, fields: &self.fields }
    }

    /// The other side has the request, whatever becomes of who sent it.
    async fn served(
        self,
        world: &Arc<World>,
        way: Way,
        deadline: Instant,
    ) -> Result<Reply, SendError> {
        world.note(|| format!("sent {}", self.url));
        parties::serving(world, &self.ask(), true);
        let answered = self.answered(world, way).await;
        parties::serving(world, &self.ask(), false);
        let Some((status, body)) = answered else {
            tokio::time::sleep_until(deadline).await;
            return Err(SendError::Unknown { cause: Cause::Deadline });
        };
        if Instant::now() >= deadline {
            return Err(SendError::Unknown { cause: Cause::Deadline });
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        Ok(Reply { status, retry_after: None, body })
    }

    async fn answered(&self, world: &Arc<World>, way: Way) -> Option<parties::Answer> {
        let slow =
            if world.is_troubled() { world.millis(0, 400) } else { Duration::from_millis(1) };
        match way {
            Way::LostBefore => None,
            Way::LateEffect => {
                let (world, late) = (Arc::clone(world), world.millis(1, LATE_EFFECT_MS));
                let sent = Self {
                    url: self.url.clone(),
                    body: self.body.clone(),
                    fields: self.fields.clone(),
                };
                world.late_effects.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    pass(late).await;
                    drop(parties::serve(&world, &sent.ask()));
                    world.late_effects.fetch_sub(1, Ordering::Relaxed);
                });
                None
            }
            Way::Well | Way::LostAfter | Way::Unreadable | Way::ServerError => {
                let answer = parties::serve(world, &self.ask());
                pass(slow).await;
                match way {
                    Way::LostAfter => None,
                    // A listener acknowledges by its status alone.
                    Way::Unreadable => Some((answer.0, serde_json::json!("<html>"))),
                    Way::ServerError => Some((500, serde_json::Value::Null)),
                    Way::Well | Way::LostBefore | Way::LateEffect => Some(answer),
                }
            }
        }
    }
}
