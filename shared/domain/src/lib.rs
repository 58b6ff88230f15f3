//! What a purchase is: ids, money, personal data, the state machines of its tracks, and what a
//! worker may decide. No input or output, no clock, no async: everything here is a plain value.

mod adapter;
mod address;
mod authentication;
mod callers;
mod card;
mod charge;
mod decision;
mod desk;
mod directory;
mod fact;
mod hindrance;
mod identifier;
mod ids;
mod money;
mod notify;
mod numbering;
mod personal;
mod product;
mod purchase;
mod task;
mod task_ops;
mod terms;
mod time;
mod tracks;
mod truth;

pub use adapter::{
    Adapter, DeskAdapter, Inquiry, Party, ResultChannel, SourceAdapter, SupplierAdapter,
};
pub use address::{AddressPolicy, Blocked, LOOPBACK, Rule};
pub use authentication::{
    API_KEY_HEADER, AuthenticateBy, Authentication, AuthenticationOf, ClientIdentity,
};
pub use callers::{CallerRules, CallerSignature, Callers};
pub use card::{holds_a_card_number, is_a_card_number};
pub use charge::{MoAccount, MoOfProduct};
pub use decision::{
    Answer, Change, Commit, Decision, FollowUp, LedgerEntry, NewDelivery, Next, TokenVerdict, Tries,
};
pub use desk::{DeskRules, INVALID_TOKEN, MsisdnForm, OnUnavailable, ValidateWhen};
pub use directory::{
    API_KEY_BYTES_MAX, CardAccount, Client, Connector, Directory, FeeRule, IpnAccount, Lane,
    PlanClass, Product, RetryPlan, SignedForm, endpoint,
};
pub use fact::{
    CALL, Fact, NewFact, SUPPLIER_CALLBACK, UNMATCHED_KEPT, UNSIGNED_KEPT, is_signed, told_by,
};
pub use hindrance::Hindrance;
pub use identifier::{kept, phone_number, unseen};
pub use ids::{ClaimToken, ClientId, LaneId, ProductId, PurchaseId};
pub use money::{Currency, Money, MoneyError};
pub use notify::{
    MESSAGE_SLOTS, NOTIFICATION_SLOTS, NotifyChannel, NotifyEvent, NotifyRules, delivery_kind,
};
pub use numbering::{Country, NUMBER_DIGITS_MAX, Numbering, Operator};
pub use personal::{Private, masked};
pub use product::{CHANNEL_IDS, ProductType};
pub use purchase::{
    DELIVER_FOR, Delivery, DeskToken, FraudDetails, Job, Order, OrderDetails, Progress, Purchase,
};
pub use task::{
    ClaimAsk, ClaimVerdict, ClaimedTask, CommitVerdict, ExchangeTimes, ParkClass, SentUntil,
    TaskKey, TaskKind, TaskState,
};
pub use task_ops::{
    ClaimGroup, DueTask, FactOutcome, Free, Heartbeat, LaneAsk, LaneLease, LaneRoom, Tick,
    TickReport,
};
pub use terms::{Agreed, Amounts, Settlement, ShareRule, Terms};
pub use time::{between, later};
pub use tracks::{
    DeliveryState, DispenseEvent, DispenseState, FailureReason, FundingType, IllegalTransition,
    PurchaseStatus, ReportState, ReserveEvent, ReserveState, Scenario, SettleAs, SettleEvent,
    SettleState, TokenState, WayIn, transition_table,
};
pub use truth::truth;
