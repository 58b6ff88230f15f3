//! The gateway: takes purchases in over HTTP, answers look-ups and stores what suppliers confirm.
//! It calls nobody and moves no purchase: workers do.

mod answers;
mod caller;
mod compose;
mod problem;
mod problem_json;
mod queries;
pub mod routes;
mod state;

pub use answers::Answers;
pub use compose::{PROGRAM, compose};
pub use queries::Queries;
pub use routes::router;
pub use state::Gateway;
