//! A row of the purchase table, unsealed.

use fleet_domain::{
    ClientId, Currency, DispenseState, FundingType, Order, OrderDetails, Private, ProductId,
    Progress, Purchase, PurchaseId, ReserveState, Scenario, SettleAs, SettleState,
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::pool::get;
use crate::{Keyring, SealError, StoreError};

pub(crate) fn read_purchase(keyring: &Keyring, row: &PgRow) -> Result<Purchase, StoreError> {
    read(row, &mut |column, id, sealed| Ok(Some(keyring.unseal(column, id, sealed)?)))
}

/// As far as it can be read: what cannot be unsealed is left empty and named.
pub(crate) fn read_purchase_partly(
    keyring: &Keyring,
    row: &PgRow,
) -> Result<(Purchase, Vec<SealError>), StoreError> {
    let mut sealed_for_good = Vec::new();
    let purchase = read(row, &mut |column, id, sealed| {
        let unsealed = keyring.unseal(column, id, sealed);
        Ok(unsealed.map_err(|error| sealed_for_good.push(error)).ok())
    })?;
    Ok((purchase, sealed_for_good))
}

/// How a sealed column of a row is read: `None` leaves it empty.
type Unseal<'a> = &'a mut dyn FnMut(&str, Uuid, &[u8]) -> Result<Option<Private>, StoreError>;

fn read(row: &PgRow, unseal: Unseal<'_>) -> Result<Purchase, StoreError> {
    let id: Uuid = get(row, "purchase")?;
    let mut maybe = |column: &str, name: &str| -> Result<Option<Private>, StoreError> {
        let sealed: Option<Vec<u8>> = get(row, name)?;
        sealed.map_or(Ok(None), |sealed| unseal(column, id, &sealed))
    };
    let details = maybe("purchase.details", "details_sealed")?;
    let details: OrderDetails = details.map_or_else(
        || Ok(OrderDetails::default()),
        |text| serde_json::from_str(text.expose()).map_err(|_error| unreadable("details")),
    )?;
    let nothing = || Private::new(String::new());
    let currency: String = get(row, "currency")?;
    Ok(Purchase {
        order: Order {
            id: PurchaseId(id),
            client: ClientId(get(row, "client_id")?),
            client_txn_ref: get(row, "client_txn_ref")?,
            scenario: word(row, "scenario", Scenario::from_name)?,
            funding: word(row, "funding", FundingType::from_name)?,
            funding_source: get(row, "funding_source")?,
            product: ProductId(get(row, "product_id")?),
            supplier: get(row, "supplier")?,
            currency: Currency::from_code(&currency).map_err(|_error| unreadable("currency"))?,
            purchase_amount: get(row, "purchase_amount")?,
            fee_amount: get(row, "fee_amount")?,
            client_reservation: get(row, "client_reservation")?,
            source: maybe("purchase.source", "source_sealed")?.unwrap_or_else(nothing),
            target: maybe("purchase.target", "target_sealed")?.unwrap_or_else(nothing),
            account: maybe("purchase.account", "account_sealed")?,
            channel_id: get(row, "channel_id")?,
            details,
            start_by: get(row, "start_by")?,
        },
        progress: read_progress(row, maybe("purchase.voucher", "voucher_sealed")?)?,
    })
}

pub(super) fn read_progress(row: &PgRow, voucher: Option<Private>) -> Result<Progress, StoreError> {
    let settle_as: Option<String> = get(row, "settle_as")?;
    let settle_as = settle_as
        .map(|text| SettleAs::from_name(&text).ok_or_else(|| unreadable("settle_as")))
        .transpose()?;
    Ok(Progress {
        reserve: word(row, "reserve_state", ReserveState::from_name)?,
        reserve_code: get(row, "reserve_code")?,
        reserve_word: get(row, "reserve_word")?,
        reservation: get(row, "reservation")?,
        hold_expires_at: get(row, "hold_expires_at")?,
        dispense: word(row, "dispense_state", DispenseState::from_name)?,
        dispense_code: get(row, "dispense_code")?,
        supplier_code: get(row, "supplier_code")?,
        supplier_ref: get(row, "supplier_ref")?,
        vend_amount: get(row, "vend_amount")?,
        voucher,
        settle_as,
        settle: word(row, "settle_state", SettleState::from_name)?,
        created_at: get(row, "created_at")?,
    })
}

fn word<T>(row: &PgRow, column: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: String = get(row, column)?;
    read(&text).ok_or_else(|| unreadable(column))
}

fn unreadable(column: &str) -> StoreError {
    StoreError::Unreadable(format!("purchase.{column}"))
}
