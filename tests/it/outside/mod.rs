//! What outsiders tried against the documents: our own gateway, the channels, and what operators say.

mod failures;
mod looked_up;
mod mailed;
mod queried;
mod reasons;
mod shapes;
