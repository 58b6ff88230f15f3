//! The store on Postgres: the suite that the model in memory passes too, and what only Postgres can
//! show.

mod postgres;
