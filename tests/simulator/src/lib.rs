//! The outside world of the fleet, for tests and for trying it out: banks, suppliers, clients'
//! result listeners, a fraud desk, providers of messages, operators that charge by SMS,
//! processors of card payments and a card gateway behind one HTTP port. A device app is there too,
//! to sell at the card gateway.
//!
//! It keeps its own record of every call and of every effect (money held, captured, cancelled;
//! goods out; results taken) and judges by that record alone: it shares no type and no decision
//! with the workers, never asks their database, and never repairs what they do wrong.
//!
//! How a party behaves is scripted: per purchase by the last four digits of its
//! `targetIdentifier` ([`SCRIPTS`]; at an operator those of the payer's number, at a card processor
//! or gateway those of the amount), or by [`World::script`] and `PUT /control/scripts/{key}`.
//! The state of all parties lies behind one lock that is never held over a wait; a call's effect
//! happens at one instant, whether or not its caller is still there for the answer.

mod amount;
mod bank;
mod behaviour;
mod buyer;
mod card;
mod client;
mod completion;
mod confirm;
mod credentials;
mod desk;
mod device;
mod faults;
mod hostile;
mod ipn;
mod judge;
mod message;
mod operator;
mod purchase;
mod record;
mod routes;
mod sale;
mod scripts;
mod server;
mod settings;
mod state;
mod supplier;
mod world;

pub use behaviour::{
    Action, AnswerKind, Behaviour, Charset, Confirmation, Ending, Length, Pending, Plan, Wire,
};
pub use buyer::Transaction;
pub use completion::CompletionCall;
pub use credentials::Wanted;
pub use desk::{ReportTold, TokenRecord};
pub use device::{AppFault, CardData, DeviceApp, Initiated, Order, Refusal, Refuser, Sale, Wrong};
pub use faults::Fault;
pub use hostile::{hostile_card, hostile_card_about, hostile_mo, hostile_mo_about};
pub use ipn::{IpnCall, Mode};
pub use message::Message;
pub use record::{Call, Effect, EffectKind, PartyCount, ResultSeen, Summary, Violation};
pub use sale::{SaleRecord, SaleState};
pub use scripts::{SCRIPTS, Script};
pub use server::{Running, Simulator, stop_signal};
pub use settings::{IpnListener, Latency, SimulatorSettings, planted_card_number};
pub use world::World;
