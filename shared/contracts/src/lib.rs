//! What goes over a wire: messages and their versions, queues and routing, the documents' bodies
//! and codes. It holds no transport and no state.

mod accept;
mod bank;
pub mod codes;
mod dead;
mod desk;
mod feed;
mod hint;
mod ipn;
pub mod number;
mod order;
mod plain;
mod queues;
mod reply;
mod result;
mod schemas;
mod supplier;
mod timestamp;
mod unknown;

pub use accept::{AcceptedOrder, accept, first_task};
pub use bank::{BankReply, RefundFunds, ReserveFunds};
pub use dead::{
    CAUSE_HEADER, CORRELATION_HEADER, DETAIL_HEADER, DeadCause, QUEUE_HEADER, REPLY_HEADER,
    USER_HEADER,
};
pub use desk::{DeskReply, Report, ValidateReply, validate_fields};
pub use feed::{FEED_PAGE_MAX, FeedResult, ResultFeed, Statement, StatementMaker, StatementTotals};
pub use hint::{HINT_TASKS_MAX, HINT_VERSION, HintError, JobHint, JobHintV1};
pub use ipn::{
    FrozenIpn, IPN, IpnBody, SignError, SignKey, TransactionReply, acknowledges_ipn,
    check_verifysign, open, verifysign,
};
pub use order::{BODY_BYTES_MAX, FraudBlock, FundingSource, PurchaseBody, Rejection, TextOrNumber};
pub use plain::{REFERENCE_CHARS_MAX, plain};
pub use queues::{DEAD_EXCHANGE, EXCHANGE, Queue};
pub use reply::{LookupReply, RequestedOutcome, RequestedReply, TransactReply};
pub use result::{Outcome, REPORT_WEEK, TRANSACT_RESULT, TransactResult, conclude, message_of};
pub use schemas::json_schemas;
pub use supplier::{VendReply, VendRequest};
pub use unknown::unknown_fields;
