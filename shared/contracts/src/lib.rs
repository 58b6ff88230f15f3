//! What goes over a wire: messages and their versions, queues and routing, the documents' bodies
//! and codes. It holds no transport and no state.

mod hint;
mod queues;

pub use hint::{HINT_TASKS_MAX, HINT_VERSION, HintError, JobHint, JobHintV1};
pub use queues::{DEAD_EXCHANGE, EXCHANGE, Queue};
