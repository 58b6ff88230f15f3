//! Postgres and RabbitMQ from the bench's side: emptied before a round, filled, and asked when the
//! last task has ended.

use anyhow::Context;
use futures_util::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueuePurgeOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use sqlx::{Connection as _, PgConnection};

use crate::order::Order;

/// The fleet's queues.
const QUEUES: [&str; 8] =
    ["requested", "reserve", "dispense", "settle", "deliver", "notify", "report", "dead"];
/// Messages that are sent before their confirms are awaited.
const PIPELINE: usize = 512;
/// The sample service that enqueues.
const SERVICE: &str = "svc-shop";

/// How to reach them.
#[derive(Debug, clap::Args)]
pub(crate) struct Servers {
    /// Postgres as its administrator.
    #[arg(long, env = "FLEET_TEST_DATABASE_URL", hide_env_values = true)]
    database_admin: url::Url,
    /// RabbitMQ as its administrator.
    #[arg(long, env = "FLEET_TEST_BROKER_URL", hide_env_values = true)]
    broker_admin: url::Url,
}

/// What is left to do, as the database says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) tasks: i64,
    pub(super) purchases: i64,
    /// Of those, fulfilled and captured.
    pub(super) successful: i64,
}

impl Servers {
    /// The fleet's database.
    pub(super) fn database(&self) -> String {
        let mut url = self.database_admin.clone();
        url.set_path("fleet");
        url.to_string()
    }

    /// The broker for one of the sample users.
    pub(super) fn broker(&self, user: &str) -> String {
        let mut url = self.broker_admin.clone();
        url.set_path("fleet");
        // Both fail only for URLs that have no host.
        url.set_username(user).ok();
        url.set_password(Some(&format!("sample-{user}"))).ok();
        url.to_string()
    }

    /// An empty database and empty queues; everything before is on disk.
    ///
    /// # Errors
    /// When a server does not do it.
    pub(super) async fn empty(&self) -> anyhow::Result<()> {
        let mut admin = PgConnection::connect(self.database_admin.as_str()).await?;
        for sql in
            ["drop database if exists fleet with (force)", "create database fleet", "checkpoint"]
        {
            sqlx::query(sql).execute(&mut admin).await.with_context(|| sql.to_owned())?;
        }
        let mut url = self.broker_admin.clone();
        url.set_path("fleet");
        let (connection, channel) = channel(url.as_str()).await?;
        for queue in QUEUES {
            let name = format!("fleet.{queue}");
            channel.queue_purge(name.into(), QueuePurgeOptions::default()).await?;
        }
        connection.close(200, "done".into()).await?;
        Ok(())
    }

    /// Enqueues purchases; each is confirmed.
    ///
    /// # Errors
    /// When one of them is not.
    pub(super) async fn enqueue(&self, orders: &[Order]) -> anyhow::Result<()> {
        let (connection, channel) = channel(&self.broker(SERVICE)).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        for chunk in orders.chunks(PIPELINE) {
            let all = try_join_all(chunk.iter().map(|order| publish(&channel, order))).await?;
            anyhow::ensure!(all.iter().all(|confirmed| *confirmed), "a purchase was not enqueued");
        }
        connection.close(200, "done".into()).await?;
        Ok(())
    }

    /// Writes to disk what is dirty, so that the measured time does not pay for it.
    ///
    /// # Errors
    /// When Postgres does not do it.
    pub(super) async fn look(&self) -> anyhow::Result<Look> {
        let mut connection = PgConnection::connect(&self.database()).await?;
        sqlx::query("checkpoint").execute(&mut connection).await?;
        Ok(Look(connection))
    }
}

async fn channel(url: &str) -> anyhow::Result<(Connection, Channel)> {
    let properties = ConnectionProperties::default().with_connection_name("bench".into());
    let connection = Connection::connect(url, properties).await.context("the broker")?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

async fn publish(channel: &Channel, order: &Order) -> anyhow::Result<bool> {
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_message_id(order.client_ref.as_str().into())
        .with_user_id(SERVICE.into());
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let body = order.message();
    let confirm = channel
        .basic_publish("fleet".into(), "requested".into(), options, body.as_bytes(), properties)
        .await?;
    Ok(matches!(confirm.await?, Confirmation::Ack(None)))
}

/// A connection that looks on.
pub(super) struct Look(PgConnection);

impl Look {
    /// How many tasks there are; cheap only when there are few.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub(super) async fn tasks(&mut self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("select count(*) from task").fetch_one(&mut self.0).await?)
    }

    /// What is left and what has ended well.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub(super) async fn left(&mut self) -> anyhow::Result<Left> {
        let sql = "select (select count(*) from task), count(*), count(*) filter (where \
            reserve_state = 'reserved' and dispense_state = 'dispensed' \
            and settle_state = 'captured') from purchase";
        let (tasks, purchases, successful) = sqlx::query_as(sql).fetch_one(&mut self.0).await?;
        Ok(Left { tasks, purchases, successful })
    }

    /// Tasks by kind and state, for people.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub(super) async fn open(&mut self) -> anyhow::Result<String> {
        let sql = "select coalesce(string_agg(format('%s of kind %s in state %s', n, kind, state), \
            ', '), 'no tasks') from (select kind, state, count(*) as n from task \
            group by kind, state order by kind, state) t";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.0).await?)
    }

    /// Bytes of write-ahead log since the cluster was made.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub(super) async fn wal_bytes(&mut self) -> anyhow::Result<u64> {
        let sql = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        let bytes: i64 = sqlx::query_scalar(sql).fetch_one(&mut self.0).await?;
        Ok(u64::try_from(bytes)?)
    }

    /// A setting of the server.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub(super) async fn setting(&mut self, name: &str) -> anyhow::Result<String> {
        let sql = "select current_setting($1)";
        Ok(sqlx::query_scalar(sql).bind(name).fetch_one(&mut self.0).await?)
    }
}
