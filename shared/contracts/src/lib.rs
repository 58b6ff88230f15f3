//! What goes over a wire: messages and their versions, queues and routing, the documents' bodies
//! and codes. It holds no transport and no state.

mod accept;
mod account;
mod asyncapi;
mod bank;
mod buyer;
mod catalogue;
mod channels;
mod charge;
mod checked;
pub mod codes;
mod dead;
mod desk;
mod feed;
mod hint;
mod identifier;
mod ipn;
mod maybe;
mod notify;
pub mod number;
mod oauth;
mod object;
pub mod openapi;
mod order;
mod plain;
mod queues;
mod reply;
mod result;
mod sale;
mod schemas;
mod strict;
mod supplier;
mod timestamp;
mod told;
mod unknown;
mod yaml;

pub use accept::{
    AcceptedOrder, PURCHASE_AMOUNT_MAX, accept, active_client, amounts_of, check_amount,
    check_any_amount, first_task, may_ask_for, may_serve, product_for,
};
pub use account::{AccountQuery, AccountReply, AccountValidation};
pub use asyncapi::asyncapi;
pub use bank::{BankReply, RefundFunds, ReserveFunds};
pub use buyer::{
    Attribute, BoughtToken, InFlight, InFlightCheck, InFlightReply, TokensReply, UserTransaction,
    UserTransactionsReply,
};
pub use catalogue::{CountryPrefix, FinancialTermsReply, MnoReply, ProductEntry, PublicProduct};
pub use channels::channel_of;
pub use charge::{
    CARD_FACT, CARD_NOT_PAID, CARD_PAID, CardCompletion, CardPage, CardPayment, CardPaymentUrl,
    CardTold, CardTransaction, ChargeCheck, ChargeReply, Checked, Differs, MO_CHARGED, MO_FACT,
    MoNotification, MoNotificationBody, MoStatus, NOTIFICATION_BYTES_MAX, PAYMENT_PAGE_BYTES_MAX,
    charge_query, check_query, payment_page,
};
pub use checked::{CheckedBody, Content, StoredContent};
pub use dead::{
    CAUSE_HEADER, CORRELATION_HEADER, DETAIL_HEADER, DeadCause, QUEUE_HEADER, REPLY_HEADER,
    USER_HEADER,
};
pub use desk::{DeskReply, Report, ValidateReply, validate_fields};
pub use feed::{FEED_PAGE_MAX, FeedResult, ResultFeed, Statement, StatementMaker, StatementTotals};
pub use hint::{HINT_TASKS_MAX, HINT_VERSION, HintError, JobHint, JobHintV1};
pub use identifier::{ACCOUNT, IDENTIFIER, check_unseen, source_of, target_of};
pub use ipn::{
    FrozenIpn, IPN, IpnBody, SignError, SignKey, TransactionReply, acknowledges_ipn,
    check_verifysign, listener, open, verifysign,
};
pub use notify::{
    EMAIL_CHANNEL_ID, Message, NOTIFICATIONS_MAX, NewNotification, NotificationBody,
    NotificationReply, ProviderMessage, SMS_CHANNEL_ID, accept_notification, check_template,
    message_ref,
};
pub use oauth::{CLIENT_CREDENTIALS, TokenRefusal, TokenReply, TokenRequest};
pub use order::{
    BODY_BYTES_MAX, FraudBlock, FundingSource, PurchaseBody, Rejection, TextOrNumber, read_body,
};
pub use plain::{REFERENCE_CHARS_MAX, plain};
pub use queues::{DEAD_EXCHANGE, EXCHANGE, Queue};
pub use reply::{LookupReply, PendingReason, RequestedOutcome, RequestedReply, TransactReply};
pub use result::{
    CARD_GET, Outcome, REPORT_WEEK, TRANSACT_RESULT, TransactResult, conclude, message_of,
};
pub use sale::{
    AccessTokenReply, AccessTokenRequest, CardMapping, CardsReply, CheckReply, CheckSale,
    CheckedConsumer, CheckedFunds, CheckedReference, CheckedSession, ControlKey, InitiateReply,
    InitiateSale, InitiatedSession, KeptCard, MappingReply, SALE_CHECKED, SALE_FACT, SALE_MAPPED,
    SALE_NOT_MADE, SESSION_CHARACTERS, SaleCallback, SaleError, SaleErrorDetail, SaleStatus,
    SaleTransaction, Signed, StatusRequest, StatusSession, same_signature,
};
pub use schemas::{files, json_schemas};
pub use supplier::{VendReply, VendRequest};
pub use told::{FromTold, Told, Unreadable, read_told, text_of};
pub use unknown::unknown_fields;
