//! The gateway: takes purchases in over HTTP, answers look-ups and stores what suppliers confirm.
//! It asks a supplier about an account when a client wants to know, calls nobody else, and moves
//! no purchase: workers do.

mod accept;
mod accepts;
mod accounts;
mod answers;
mod api;
mod caller;
mod client_body;
mod closed;
mod compose;
mod halved;
mod measured;
mod msisdn;
mod parameters;
mod party_call;
mod places;
mod present;
mod problem;
mod problem_json;
mod queries;
mod routes;
mod sale_problem;
mod shape;
mod state;
mod tokens;

pub use accepts::Accepts;
pub use accounts::Accounts;
pub use answers::Answers;
pub use compose::{PROGRAM, compose};
pub use places::Doors;
pub use present::{Present, PresentDirectory};
pub use queries::Queries;
pub use routes::{document, router};
pub use state::Gateway;
