//! One connection after the other: connect, work until the first doubt, throw away, wait, again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use fleet_telemetry::metrics;
use futures_util::{Stream, StreamExt};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind, Event};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::settings::{BrokerError, BrokerSettings};
use crate::socket::Socket;

/// The longest that one question to the broker may take: connect, open, declare, acknowledge.
pub(crate) const RPC_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The connection is asked now and then in case its end made no event.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(5);
/// Added to the delay when only a person can help: no storm of log-ins, no flood of log lines.
const MISCONFIGURED_DELAY: Duration = Duration::from_secs(10);
/// A session that lived this long makes the next delay short again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("{doing} took too long")]
    TimedOut { doing: &'static str },
    #[error("{doing} failed")]
    Broker {
        doing: &'static str,
        #[source]
        source: Box<lapin::Error>,
    },
    #[error("{what} is refused")]
    Refused {
        what: String,
        #[source]
        source: Box<lapin::Error>,
    },
    #[error("{0} is missing and this user may not declare it")]
    Missing(&'static str),
    #[error("the connection is lost")]
    Lost(#[source] Option<Box<lapin::Error>>),
    #[error("the broker ended the consumer: its queue is deleted, or a message was held too long")]
    ConsumerEnded,
    #[error("{0} messages are dropped without an answer and wait for their redelivery")]
    Starved(usize),
    #[error("messages are ready but none comes")]
    Silent,
    #[error(transparent)]
    Settings(BrokerError),
}

impl SessionError {
    /// For `map_err`: what we were doing when the client failed.
    pub(crate) fn broker(doing: &'static str) -> impl FnOnce(lapin::Error) -> Self {
        move |source| Self::Broker { doing, source: Box::new(source) }
    }

    /// The broker's reply code, if it said one.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Broker { source, .. } | Self::Refused { source, .. } => code_of(source),
            Self::Lost(Some(source)) => code_of(source),
            Self::TimedOut { .. }
            | Self::Missing(_)
            | Self::Lost(None)
            | Self::ConsumerEnded
            | Self::Starved(_)
            | Self::Silent
            | Self::Settings(_) => None,
        }
    }

    /// True when trying again soon cannot help: refused log-in or permission, no such vhost,
    /// other arguments, bad settings.
    fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Settings(_))
            || matches!(self.code(), Some(403 | 406 | 530))
    }
}

fn code_of(error: &lapin::Error) -> Option<u16> {
    if let ErrorKind::ProtocolError(error) = error.kind() { Some(error.get_id()) } else { None }
}

/// What others see of a connection.
#[derive(Clone)]
pub(crate) enum Link {
    Down,
    Up(Arc<Connection>),
    Blocked,
}

/// A connection in use.
pub(crate) struct Session {
    pub(crate) connection: Arc<Connection>,
    label: &'static str,
    link: Arc<watch::Sender<Link>>,
}

impl Session {
    /// Says that it is ready for use.
    pub(crate) fn up(&self) {
        metrics().broker_up(self.label, true);
        info!(connection = self.label, "the broker can be used");
        self.link.send_replace(Link::Up(Arc::clone(&self.connection)));
    }

    /// Watches until the connection is lost.
    async fn watch(&self, events: impl Stream<Item = Event>) -> SessionError {
        let mut events = std::pin::pin!(events);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = sleep(LOOK_EVERY) => None,
            };
            match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    warn!(connection = self.label, reason, "blocked by the broker");
                    metrics().broker_up(self.label, false);
                    self.link.send_replace(Link::Blocked);
                }
                Some(Event::ConnectionUnblocked) => self.up(),
                Some(Event::Error(error)) if !self.connection.status().connected() => {
                    return SessionError::Lost(Some(Box::new(error)));
                }
                _ if !self.connection.status().connected() => return SessionError::Lost(None),
                _ => {}
            }
        }
    }
}

/// What is done with each connection.
pub(crate) trait Work: Send {
    /// Works until something is wrong; `Ok` means that no further session is wanted.
    fn run(&mut self, session: &Session) -> impl Future<Output = Result<(), SessionError>> + Send;
}

/// Runs sessions until the work is done or `stop` is cancelled.
pub(crate) async fn supervise(
    settings: BrokerSettings,
    label: &'static str,
    link: Arc<watch::Sender<Link>>,
    stop: CancellationToken,
    mut work: impl Work,
) {
    let policy = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(DELAY_MIN)
        .with_max_delay(DELAY_MAX)
        .without_max_times();
    let mut delays = policy.build();
    while !stop.is_cancelled() {
        let started = Instant::now();
        let outcome = one_session(&settings, label, &link, &stop, &mut work).await;
        link.send_replace(Link::Down);
        metrics().broker_up(label, false);
        let Err(error) = outcome else { return };
        if stop.is_cancelled() {
            return;
        }
        if started.elapsed() >= HEALTHY_AFTER {
            delays = policy.build();
        }
        let mut delay = delays.next().unwrap_or(DELAY_MAX);
        if error.is_misconfiguration() {
            delay = delay.saturating_add(MISCONFIGURED_DELAY);
        }
        warn!(
            connection = label,
            error = %chain(&error),
            retry_milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            "broker session ended"
        );
        tokio::select! {
            () = sleep(delay) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn one_session(
    settings: &BrokerSettings,
    label: &'static str,
    link: &Arc<watch::Sender<Link>>,
    stop: &CancellationToken,
    work: &mut impl Work,
) -> Result<(), SessionError> {
    let (connection, socket) = tokio::select! {
        connected = connect(settings, label) => connected?,
        () = stop.cancelled() => return Ok(()),
    };
    let connection = Arc::new(connection);
    let events = connection.events_listener();
    let session = Session { connection, label, link: Arc::clone(link) };
    let outcome = tokio::select! {
        outcome = work.run(&session) => outcome,
        error = session.watch(events) => Err(error),
    };
    close(&session.connection).await;
    drop(socket);
    outcome
}

/// Opens a connection that never recovers by itself, and ends with its socket at the latest: to the
/// first of the hosts that lets us in.
pub(crate) async fn connect(
    settings: &BrokerSettings,
    label: &str,
) -> Result<(Connection, Socket), SessionError> {
    let mut outcome = Err(SessionError::Lost(None));
    for uri in settings.uris().map_err(SessionError::Settings)? {
        outcome = connect_to(uri, &format!("{} {label}", settings.service)).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn connect_to(uri: AMQPUri, name: &str) -> Result<(Connection, Socket), SessionError> {
    let properties = ConnectionProperties::default().with_connection_name(name.to_owned().into());
    let socket = Socket::new();
    let connecting = socket.connect(uri, properties);
    let connection = bounded("connecting to the broker", connecting).await?;
    Ok((connection, socket))
}

pub(crate) async fn close(connection: &Connection) {
    if connection.status().connected() {
        // A broker that does not answer the good-bye is left alone: dropping ends it as well.
        let closing = connection.close(200, "bye".into());
        drop(timeout(CLOSE_TIMEOUT, closing).await);
    }
}

pub(crate) async fn open_channel(connection: &Connection) -> Result<Channel, SessionError> {
    bounded("opening a channel", connection.create_channel()).await
}

/// One question to the broker, which may never answer.
pub(crate) async fn bounded<T>(
    doing: &'static str,
    question: impl Future<Output = lapin::Result<T>>,
) -> Result<T, SessionError> {
    match timeout(RPC_TIMEOUT, question).await {
        Ok(answer) => answer.map_err(SessionError::broker(doing)),
        Err(_elapsed) => Err(SessionError::TimedOut { doing }),
    }
}

/// An error with everything that caused it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
