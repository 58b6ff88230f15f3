//! RabbitMQ, and the only crate that knows it.
//!
//! A [`Publisher`] and each [`consume`]r own a connection that is rebuilt for ever, with jitter,
//! by a loop of ours: connect, declare the topology, work, and throw everything away at the first
//! doubt. Nothing here relies on the client's own recovery, which can fall silent.
//!
//! What it will never do: call a message published that the broker did not confirm or could not
//! route; send an acknowledgement of one session into the next; block whoever acknowledges; log a
//! body. What was not confirmed in time is reported as not published and is the clock's business.

mod access;
mod ack;
mod consumer;
mod lane;
mod message;
mod publisher;
mod session;
mod settings;
mod socket;
mod topology;
mod window;

pub use access::check_access;
pub use ack::Ack;
pub use consumer::consume;
pub use message::{HEADERS_MAX, Incoming, KEPT_BYTES_MAX, Outgoing, Target};
pub use publisher::Publisher;
pub use settings::{BrokerError, BrokerSettings};
pub use topology::declare_topology;
