//! Where Postgres is: one host, or several of which one takes writes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, Row};
use tokio::time::timeout;

use crate::StoreError;

/// How long one host may take to let us in.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The hosts of a `postgres://user:password@host:port,host:port/database` URL.
#[derive(Debug)]
pub(crate) struct Hosts {
    each: Vec<PgConnectOptions>,
    /// The one that took writes last.
    first: AtomicUsize,
}

impl Hosts {
    /// Reads the URL as libpq does: several hosts with commas between them, each with a port of its own
    /// or the usual one. Only a host that takes writes will do, whether the URL says so or not.
    ///
    /// # Errors
    /// What is wrong with it; never the URL itself.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no postgres://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let mut parameters: Vec<&str> = query.split('&').filter(|one| !one.is_empty()).collect();
        for one in &parameters {
            if let Some(("target_session_attrs", value)) = one.split_once('=')
                && !matches!(value, "read-write" | "primary")
            {
                return Err("target_session_attrs can only be read-write");
            }
        }
        parameters.retain(|one| !one.starts_with("target_session_attrs="));
        let query = parameters.join("&");
        let of = |host: &str| {
            if host.is_empty() && hosts.contains(',') {
                return Err("one of its hosts has no name");
            }
            let one = format!("{scheme}://{user}{host}/{path}?{query}");
            one.trim_end_matches('?').parse().map_err(|_secret| "it cannot be read as one")
        };
        let each = hosts.split(',').map(of).collect::<Result<_, _>>()?;
        Ok(Self { each, first: AtomicUsize::new(0) })
    }

    /// The same hosts, each with these options.
    pub(crate) fn with(self, set: impl Fn(PgConnectOptions) -> PgConnectOptions) -> Self {
        Self { each: self.each.into_iter().map(set).collect(), ..self }
    }

    /// One attempt: each host in turn, the one that took writes last before the others.
    ///
    /// # Errors
    /// Why the last of them would not do.
    pub(crate) async fn connect(&self) -> Result<PgConnection, String> {
        let first = self.first.load(Ordering::Relaxed);
        let mut cause = "there is no host".to_owned();
        for turn in 0..self.each.len() {
            let index = first.wrapping_add(turn).checked_rem(self.each.len()).unwrap_or(0);
            let Some(host) = self.each.get(index) else { continue };
            match timeout(CONNECT_WITHIN, open(host)).await {
                Ok(Ok(Some(connection))) => {
                    self.first.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Ok(None)) => cause = "it takes no writes".to_owned(),
                Ok(Err(sqlx::Error::Io(error))) => cause = error.kind().to_string(),
                Ok(Err(error)) => cause = StoreError::of(&error).cause(),
                Err(_elapsed) => cause = "no answer in time".to_owned(),
            }
            if self.each.len() > 1 {
                cause = format!("{}:{}: {cause}", host.get_host(), host.get_port());
            }
        }
        Err(cause)
    }
}

/// A connection to a host that takes writes; none to a standby, or one that was made read-only.
async fn open(host: &PgConnectOptions) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = host.connect().await?;
    Ok(takes_writes(&mut connection).await?.then_some(connection))
}

/// Whether a connection's server takes writes now.
pub(crate) async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("show transaction_read_only").fetch_one(connection).await?;
    Ok(row.try_get::<String, _>(0)? == "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Vec<(String, u16, String)>, &'static str> {
        let hosts = Hosts::parse(url)?;
        let of = |one: &PgConnectOptions| {
            let database = one.get_database().unwrap_or_default().to_owned();
            (one.get_host().to_owned(), one.get_port(), database)
        };
        Ok(hosts.each.iter().map(of).collect())
    }

    fn host(name: &str, port: u16) -> (String, u16, String) {
        (name.to_owned(), port, "fleet".to_owned())
    }

    #[test]
    fn one_host_and_several_are_read_as_libpq_reads_them() {
        let one = read("postgres://fleet:secret@db.example:5433/fleet").unwrap();
        assert_eq!(one, [host("db.example", 5433)]);
        let url = "postgresql://fleet:a%2Cb%40c@one.example,10.0.0.2:6432,[::1]:5433/fleet\
                   ?sslmode=prefer&target_session_attrs=read-write";
        let three = read(url).unwrap();
        let wanted = [host("one.example", 5432), host("10.0.0.2", 6432), host("[::1]", 5433)];
        assert_eq!(three, wanted);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        for (url, what) in [
            ("postgres://a:secret@one,/fleet", "one of its hosts has no name"),
            ("postgres://a:secret@one:port/fleet", "it cannot be read as one"),
            ("fleet:secret", "it has no postgres://"),
            (
                "postgres://a:secret@one/fleet?target_session_attrs=standby",
                "target_session_attrs can only be read-write",
            ),
        ] {
            assert_eq!(read(url).unwrap_err(), what);
        }
    }
}
