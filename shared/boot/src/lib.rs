//! What composes a program: settings, signals, health, drain, exit codes, and the adapters between
//! engine, store, broker and outbound. It holds no rule about purchases.

mod adapters;
mod check;
mod directory;
mod exchange;
mod hindered;
mod hints;
mod intake;
mod program;
mod requested;
mod serve;
mod settings;
mod sources;
mod turns;
mod upkeep;
mod worker;

pub use adapters::{HintPublisher, StoreTasks};
pub use directory::StoreDirectory;
pub use exchange::{Answer, Exchange, PlainNo, Request};
pub use hints::dead_letter;
pub use intake::{FirstHints, Intake, IntakeOutcome, similar_in_flight};
pub use program::{Arguments, Program, install_tls_provider, run};
pub use requested::{Refusal, RequestedMessage, Taken, check_requested};
pub use serve::{Peer, Served, bind, serve};
pub use settings::{Needs, Settings, SettingsError};
pub use turns::Turns;
pub use upkeep::{watch_invariants, watch_money};
pub use worker::Worker;
