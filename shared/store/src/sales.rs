//! Device sales: what an app may pay, the sale that it has begun, and the cards that may pay again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{ClientId, Currency, Money, Private, PurchaseId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::pool::{get, no_row};
use crate::{Store, StoreError};

const PURCHASE: &str = "sale_access.purchase";
const ACCESS_EMAIL: &str = "sale_access.email";
const SESSION: &str = "device_sale.session";
const SERVER_CARD: &str = "consumer_card.server_card";
const CARD_EMAIL: &str = "consumer_card.email";

/// What a client's server lets its app pay.
#[derive(Debug, Clone)]
pub struct NewAccess {
    /// The app's token.
    pub token: Private,
    /// Whose app it is.
    pub client: ClientId,
    /// The client's name for its consumer.
    pub consumer: Private,
    /// The purchase's fields, as JSON.
    pub purchase: Private,
    /// The consumer's e-mail address.
    pub email: Option<Private>,
    /// What is paid.
    pub money: Money,
    /// How long a sale may be begun.
    pub valid_for: Duration,
}

/// The same, looked up by the token.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its number.
    pub id: Uuid,
    /// Whose app it is.
    pub client: ClientId,
    /// The consumer, hashed.
    pub consumer_hash: Vec<u8>,
    /// The purchase's fields, as JSON.
    pub purchase: Private,
    /// The consumer's e-mail address.
    pub email: Option<Private>,
    /// What is paid.
    pub money: Money,
    /// False once no sale may be begun any more.
    pub is_valid: bool,
}

/// What both sides of a sale know of its session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleSession {
    /// The device.
    pub serial_number: String,
    /// Ours, used once.
    pub nonce: String,
    /// The app's.
    pub access_token: String,
    /// The card gateway's, once it has checked the sale.
    pub token: Option<String>,
    /// The card of a repeat sale, as the card gateway named it.
    #[serde(default)]
    pub client_card: Option<String>,
}

impl std::fmt::Debug for SaleSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaleSession([private])")
    }
}

/// A sale that an app has begun.
#[derive(Debug, Clone)]
pub struct DeviceSale {
    /// Its purchase; the invoice.
    pub purchase: PurchaseId,
    /// What allowed it.
    pub access: Access,
    /// The card gateway.
    pub funding_source: String,
    /// Its session.
    pub session: SaleSession,
    /// Its nonce is used up.
    pub checked: bool,
}

/// A card that may pay again.
#[derive(Debug, Clone)]
pub struct ConsumerCard {
    /// `clientCardId`.
    pub id: Uuid,
    /// `serverCardId`.
    pub server_card: Private,
    /// The address that its mapping was made with.
    pub email: Option<Private>,
    /// Its first digits.
    pub bin: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// What became of a card that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardKept {
    /// It may pay again.
    Kept,
    /// This sale has told another card.
    OtherCard,
    /// It is another consumer's.
    OtherConsumer,
}

fn hash_of(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

impl Store {
    /// Keeps what an app may pay; cards that were kept with another address pay no more.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn allow_sale(&self, new: &NewAccess) -> Result<DateTime<Utc>, StoreError> {
        let (keyring, id) = (self.keyring(), Uuid::new_v4());
        let email = new.email.as_ref();
        let query = sqlx::query(include_str!("sales/allow.sql"))
            .bind(id)
            .bind(hash_of(new.token.expose()))
            .bind(new.client.0)
            .bind(self.consumer_hash(new.client, new.consumer.expose()))
            .bind(keyring.seal(PURCHASE, id, new.purchase.expose()))
            .bind(email.map(|email| keyring.seal(ACCESS_EMAIL, id, email.expose())))
            .bind(new.money.minor)
            .bind(new.money.currency.code())
            .bind(i64::try_from(new.valid_for.as_secs()).unwrap_or(i64::MAX))
            .bind(email.map(|email| keyring.lookup_hash("email", email.expose())));
        get(&self.row(query).await?.ok_or_else(no_row)?, "expires_at")
    }

    /// What a token lets its app pay.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when the row cannot be read.
    pub async fn sale_access(&self, token: &str) -> Result<Option<Access>, StoreError> {
        let sql = "select a.*, a.expires_at > fleet_now() as is_valid from sale_access a \
                   where a.token_hash = $1";
        let row = self.row(sqlx::query(sql).bind(hash_of(token))).await?;
        row.map(|row| self.access(&row)).transpose()
    }

    /// Keeps a sale's session; of two at once the first counts for both.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn begin_sale(
        &self,
        purchase: PurchaseId,
        access: &Access,
        funding_source: &str,
        session: &SaleSession,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(include_str!("sales/begin.sql"))
            .bind(purchase.0)
            .bind(access.id)
            .bind(funding_source)
            .bind(self.sealed_session(purchase, session));
        self.rows(query).await.map(|_rows| ())
    }

    /// The sale of a purchase.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when the row cannot be read.
    pub async fn device_sale(
        &self,
        purchase: PurchaseId,
    ) -> Result<Option<DeviceSale>, StoreError> {
        let query = sqlx::query(include_str!("sales/find.sql")).bind(purchase.0).bind(None::<Uuid>);
        self.row(query).await?.map(|row| self.sale(&row)).transpose()
    }

    /// The sale that a token was used for.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when the row cannot be read.
    pub async fn sale_of(&self, access: &Access) -> Result<Option<DeviceSale>, StoreError> {
        let query = sqlx::query(include_str!("sales/find.sql")).bind(None::<Uuid>).bind(access.id);
        self.row(query).await?.map(|row| self.sale(&row)).transpose()
    }

    /// Uses a sale's nonce up; false when that was done before.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn check_sale(
        &self,
        purchase: PurchaseId,
        session: &SaleSession,
    ) -> Result<bool, StoreError> {
        let sql = "update device_sale set checked = true, session_sealed = $2 \
                   where purchase = $1 and not checked returning purchase";
        let query = sqlx::query(sql).bind(purchase.0).bind(self.sealed_session(purchase, session));
        Ok(self.row(query).await?.is_some())
    }

    /// Keeps the card of a paid sale's consumer: one a sale, and one consumer's.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away.
    pub async fn keep_card(
        &self,
        sale: &DeviceSale,
        server_card: &str,
        bin: &str,
    ) -> Result<CardKept, StoreError> {
        let (keyring, id) = (self.keyring(), self.card_id(&sale.funding_source, server_card));
        let email = sale.access.email.as_ref();
        let sql = "select fleet_keep_card_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let query = sqlx::query(sql)
            .bind(sale.purchase.0)
            .bind(id)
            .bind(sale.access.client.0)
            .bind(&sale.access.consumer_hash)
            .bind(&sale.funding_source)
            .bind(keyring.lookup_hash("server_card", server_card))
            .bind(keyring.seal(SERVER_CARD, id, server_card))
            .bind(email.map(|email| keyring.lookup_hash("email", email.expose())))
            .bind(email.map(|email| keyring.seal(CARD_EMAIL, id, email.expose())))
            .bind(bin);
        let verdict: String = get(&self.row(query).await?.ok_or_else(no_row)?, 0)?;
        Ok(match verdict.as_str() {
            "kept" => CardKept::Kept,
            "other_card" => CardKept::OtherCard,
            "other_consumer" => CardKept::OtherConsumer,
            _ => return Err(StoreError::Unreadable("an unknown verdict".to_owned())),
        })
    }

    /// A consumer's card that may pay at this gateway.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when the row cannot be read.
    pub async fn card_of(
        &self,
        sale: &DeviceSale,
        card: Uuid,
    ) -> Result<Option<ConsumerCard>, StoreError> {
        let query = sqlx::query(include_str!("sales/cards.sql"))
            .bind(sale.access.client.0)
            .bind(&sale.access.consumer_hash)
            .bind(card)
            .bind(&sale.funding_source);
        self.row(query).await?.map(|row| self.card(&row)).transpose()
    }

    /// A consumer's cards that may pay, the newest first, 100 at most.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away or when a row cannot be read.
    pub async fn cards(
        &self,
        client: ClientId,
        consumer: &str,
    ) -> Result<Vec<ConsumerCard>, StoreError> {
        let query = sqlx::query(include_str!("sales/cards.sql"))
            .bind(client.0)
            .bind(self.consumer_hash(client, consumer))
            .bind(None::<Uuid>)
            .bind(None::<String>);
        self.rows(query).await?.iter().map(|row| self.card(row)).collect()
    }

    /// `clientCardId`: of one card always the same, and nobody can guess it.
    fn card_id(&self, funding_source: &str, server_card: &str) -> Uuid {
        let text = format!("{funding_source}/{server_card}");
        let hash = self.keyring().lookup_hash("client_card", &text);
        let bytes = hash.first_chunk::<16>().copied().unwrap_or_default();
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    fn consumer_hash(&self, client: ClientId, consumer: &str) -> Vec<u8> {
        self.keyring().lookup_hash("consumer", &format!("{client}/{consumer}"))
    }

    fn sealed_session(&self, purchase: PurchaseId, session: &SaleSession) -> Vec<u8> {
        let text = serde_json::to_string(session).unwrap_or_default();
        self.keyring().seal(SESSION, purchase.0, &text)
    }

    fn access(&self, row: &PgRow) -> Result<Access, StoreError> {
        let id: Uuid = get(row, "access")?;
        let sealed: Vec<u8> = get(row, "purchase_sealed")?;
        let email: Option<Vec<u8>> = get(row, "email_sealed")?;
        let code: String = get(row, "currency")?;
        let currency = Currency::from_code(&code)
            .map_err(|_error| StoreError::Unreadable("sale_access.currency".to_owned()))?;
        let email = email.map(|sealed| self.keyring().unseal(ACCESS_EMAIL, id, &sealed));
        Ok(Access {
            id,
            client: ClientId(get(row, "client_id")?),
            consumer_hash: get(row, "consumer_hash")?,
            purchase: self.keyring().unseal(PURCHASE, id, &sealed)?,
            email: email.transpose()?,
            money: Money::new(get(row, "amount")?, currency),
            is_valid: get(row, "is_valid")?,
        })
    }

    fn sale(&self, row: &PgRow) -> Result<DeviceSale, StoreError> {
        let purchase: Uuid = get(row, "purchase")?;
        let sealed: Vec<u8> = get(row, "session_sealed")?;
        let session = self.keyring().unseal(SESSION, purchase, &sealed)?;
        let session = serde_json::from_str(session.expose())
            .map_err(|_error| StoreError::Unreadable("device_sale.session".to_owned()))?;
        Ok(DeviceSale {
            purchase: PurchaseId(purchase),
            access: self.access(row)?,
            funding_source: get(row, "funding_source")?,
            session,
            checked: get(row, "checked")?,
        })
    }

    fn card(&self, row: &PgRow) -> Result<ConsumerCard, StoreError> {
        let id: Uuid = get(row, "card")?;
        let sealed: Vec<u8> = get(row, "server_card_sealed")?;
        let email: Option<Vec<u8>> = get(row, "email_sealed")?;
        let email = email.map(|sealed| self.keyring().unseal(CARD_EMAIL, id, &sealed));
        Ok(ConsumerCard {
            id,
            server_card: self.keyring().unseal(SERVER_CARD, id, &sealed)?,
            email: email.transpose()?,
            bin: get(row, "bin")?,
            created_at: get(row, "created_at")?,
        })
    }
}
