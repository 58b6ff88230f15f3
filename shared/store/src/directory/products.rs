//! Products in an import.

use fleet_domain::{Currency, Product, ProductId};
use serde_json::{Value, json};

use super::rows::ProductRow;
use crate::StoreError;

/// A product as a checked row says.
pub(super) fn wanted_product(row: &ProductRow) -> Result<Product, StoreError> {
    Ok(Product {
        id: ProductId(row.product_id),
        name: row.name.clone(),
        product_type: row.product_type.clone(),
        product_type_id: row.product_type_id,
        description: row.description.clone(),
        short_description: row.short_description.clone(),
        vendor_id: row.vendor_id,
        vendor: row.vendor.clone(),
        channels: row.channels.clone(),
        supplier: row.supplier.clone(),
        currency: Currency::from_code(&row.currency)
            .map_err(|_error| StoreError::misuse("the import was not checked"))?,
        min_amount: row.min_amount,
        max_amount: row.max_amount,
        fee: row.fee,
        mo: row.mo.clone(),
        desk: row.desk.clone(),
        active: row.active,
    })
}

pub(super) fn product_json(row: &ProductRow) -> Value {
    json!({
        "product_id": row.product_id, "name": row.name, "product_type": row.product_type,
        "product_type_id": row.product_type_id, "description": row.description,
        "short_description": row.short_description, "vendor_id": row.vendor_id,
        "vendor": row.vendor, "channels": row.channels, "supplier": row.supplier,
        "currency": row.currency, "min_amount": row.min_amount, "max_amount": row.max_amount,
        "fee_fixed": row.fee.fixed, "fee_basis_points": row.fee.basis_points,
        "mo": row.mo, "desk": row.desk, "active": row.active,
    })
}
