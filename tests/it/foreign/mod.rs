//! Programs of others: what enqueues purchases, what receives results, what reads our contracts. The
//! code of README.md runs here as it stands there.

mod documents;
mod fuzz;
mod producers;
mod programs;
mod receivers;
