//! Why nothing can be sent on a lane, by what the directory says: the same answer for whoever sends, for
//! the log, for the metrics and for operators.

use std::fmt;

use crate::{Adapter, ClientId, Directory, LaneId, TaskKind};

/// What keeps a lane's tasks from being started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// The lane is not in the directory.
    NoLane(LaneId),
    /// The lane's connector is not in the directory.
    NoConnector(String),
    /// This build has no such adapter for the connector's party.
    UnknownAdapter {
        /// The connector.
        connector: String,
        /// The word in its row.
        adapter: String,
    },
    /// The lane's client is not in the directory.
    NoClient(String),
    /// The client's row has no URL for the channel.
    NoEndpoint {
        /// The client.
        client: ClientId,
        /// The channel.
        channel: String,
    },
}

impl Hindrance {
    /// The word in metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoLane(_) => "no_lane",
            Self::NoConnector(_) => "no_connector",
            Self::UnknownAdapter { .. } => "unknown_adapter",
            Self::NoClient(_) => "no_client",
            Self::NoEndpoint { .. } => "no_endpoint",
        }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLane(lane) => {
                write!(f, "lane {lane} is not in the directory: import its owner again")
            }
            Self::NoConnector(name) => {
                write!(f, "connector {name} is not in the directory: import it")
            }
            Self::UnknownAdapter { connector, adapter } => write!(
                f,
                "connector {connector} names the adapter {adapter}, which this build does not have: \
                 import it with one that it has, or start the newer build"
            ),
            Self::NoClient(client) => {
                write!(f, "client {client} is not in the directory: import it")
            }
            Self::NoEndpoint { client, channel } => write!(
                f,
                "client {client} has no URL for the channel {channel}: import it with one"
            ),
        }
    }
}

impl Directory {
    /// What keeps tasks of this kind and lane from being started.
    #[must_use]
    pub fn hindrance(&self, kind: TaskKind, lane: LaneId) -> Option<Hindrance> {
        let Some(lane) = self.lanes.get(&lane) else { return Some(Hindrance::NoLane(lane)) };
        let owner = &lane.owner;
        match kind {
            TaskKind::Case => None,
            TaskKind::Deliver => self.no_endpoint(owner),
            TaskKind::Reserve
            | TaskKind::Settle
            | TaskKind::Refund
            | TaskKind::Dispense
            | TaskKind::Notify
            | TaskKind::Report
            | TaskKind::Validate => match self.connectors.get(owner) {
                None => Some(Hindrance::NoConnector(owner.clone())),
                Some(connector) => match &connector.adapter {
                    Adapter::Unknown(adapter) => Some(Hindrance::UnknownAdapter {
                        connector: owner.clone(),
                        adapter: adapter.clone(),
                    }),
                    Adapter::Source(_)
                    | Adapter::Supplier(_)
                    | Adapter::Desk(_)
                    | Adapter::Channel(_) => None,
                },
            },
        }
    }

    /// Of a lane `1001`, or `1001/ipn`.
    fn no_endpoint(&self, owner: &str) -> Option<Hindrance> {
        let (client, channel) = owner
            .split_once('/')
            .map_or((owner, None), |(client, channel)| (client, Some(channel)));
        let found = client.parse().ok().and_then(|id| self.clients.get(&ClientId(id)));
        let Some(found) = found else { return Some(Hindrance::NoClient(client.to_owned())) };
        let missing = channel.filter(|channel| !found.channels.contains_key(*channel))?;
        Some(Hindrance::NoEndpoint { client: found.id, channel: missing.to_owned() })
    }
}
